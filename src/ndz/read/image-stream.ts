import type { Readable } from 'node:stream';
import { readChunks } from './chunk-stream.js';
import { cutImage, diskHead, judgeEnd, type ImageEnd } from './inspect.js';
import { decodeChunkHeader, type ChunkHeader } from '../codec/format.js';
import { ImageCheck, type ImageSummary } from './image-check.js';

export type StreamOptions = {
  signal?: AbortSignal;
  /** Take an image even if its last chunks seem to be missing. */
  allowCut?: boolean;
};

/** `note`: what people must know of the disk's end. */
export type StreamSummary = ImageSummary & Pick<ImageEnd, 'note' | 'tableSectorBytes'>;

/** One chunk; its bytes are overwritten by the next. */
export type StreamedChunk = { bytes: Uint8Array; header: ChunkHeader; position: number };

/**
 * The chunks of an image that comes front to back, each checked against those before it; returns what they say together
 * when the last has come. Throws Failure: those of `readChunks`, `decodeChunkHeader` and `ImageCheck`, and `ndz-cut` at
 * the end when there should have been more.
 */
export async function* streamImage(
  input: Readable,
  name: string,
  { signal, allowCut = false }: StreamOptions = {},
): AsyncGenerator<StreamedChunk, StreamSummary> {
  const check = new ImageCheck(null);
  let head: Buffer | undefined;
  let position = 0;
  for await (const bytes of readChunks(input, name, signal)) {
    const header = decodeChunkHeader(bytes, position);
    check.add(header, position);
    head ??= await diskHead(bytes);
    yield { bytes, header, position };
    position++;
  }
  const summary = check.result();
  const { cut, note, tableSectorBytes } = judgeEnd(head ?? Buffer.alloc(0), summary);
  if (cut !== null && !allowCut) throw cutImage(name, cut);
  return { ...summary, note: cut ?? note, tableSectorBytes };
}
