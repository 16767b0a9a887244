import { createReadStream, ReadStream } from 'node:fs';
import type { Readable, Writable } from 'node:stream';
import { CHUNK_BYTES } from '../codec/format.js';
import { chunkTotals } from '../codec/extents.js';
import { streamImage } from '../read/image-stream.js';
import { inspectImage, wholeEnd, type ImageEnd, type ImageInfo } from '../read/inspect.js';
import type { WriterResult } from './chunk-sink.js';
import { openStreamSink } from './stream-sink.js';

type Options = {
  judge?: (info: ImageInfo) => Promise<ImageEnd>;
  allowCut?: boolean;
  signal?: AbortSignal;
  onProgress?: (progress: { doneChunks: number; chunkCount: number | null; dataBytes: number }) => void;
};

/** Writes the disk that an image was made from, front to back, into a pipe or standard output. See `applyImage`. */
export async function pourImage(
  image: string | Readable,
  output: Writable,
  { judge, allowCut = false, signal, onProgress }: Options,
): Promise<WriterResult & { diskBytes: number; chunkCount: number; notes: string[] }> {
  const heard = signal ? { signal } : {};
  const info = typeof image === 'string' ? await inspectImage(image, heard) : null;
  const end = info && (await wholeEnd(info, { ...(judge ? { judge } : {}), allowCut }));
  const sink = openStreamSink(output, signal);
  let [doneChunks, dataBytes] = [0, 0];
  try {
    const input = typeof image === 'string' ? createReadStream(image, { highWaterMark: CHUNK_BYTES }) : image;
    const name = input instanceof ReadStream && typeof input.path === 'string' ? input.path : 'standard input';
    const chunks = streamImage(input, name, { ...heard, allowCut: allowCut || info !== null });
    let next = await chunks.next();
    for (; !next.done; next = await chunks.next()) {
      await sink.write(next.value.bytes);
      dataBytes += chunkTotals(next.value.header).actualBytes;
      onProgress?.({ doneChunks: ++doneChunks, chunkCount: info?.chunkCount ?? null, dataBytes });
    }
    const note = end ? (end.cut ?? end.note) : next.value.note;
    const result = await sink.finish();
    return { ...result, diskBytes: next.value.diskBytes, chunkCount: doneChunks, notes: note === null ? [] : [note] };
  } finally {
    await sink.abort();
  }
}
