import type { Writable } from 'node:stream';
import { partsWithin } from '../../disk/placement.js';
import { dataExtents } from '../codec/extents.js';
import { ImageTracker } from './image-tracker.js';
import { inflatePieces, openChunk } from '../codec/inflate.js';
import { streamOutput } from '../write/output.js';
import type { WriterSink } from './chunk-sink.js';
import { fail } from '../failures.js';

const ZEROS = new Uint8Array(256 * 1024);

/**
 * Writes the imaged disk front to back into a pipe or standard output, free space as zeros; so chunks must come in order.
 * The stream is left open. Throws as the disk sink does, with Failure `ndz-chunk-order` for a chunk out of order and
 * `image-write-failed` when the reader goes away.
 */
export function openStreamSink(output: Writable, signal?: AbortSignal): WriterSink {
  const target = streamOutput(output, signal);
  const image = new ImageTracker();
  const stats = { writes: 0, zeroWrites: 0, seeks: 0, blocked: 0, peakBuffers: 0, peakBufferBytes: 0 };
  let position = 0;
  let zeroBytes = 0;
  const put = async (bytes: Uint8Array): Promise<void> => {
    await target.write(bytes);
    position += bytes.byteLength;
    stats.writes++;
    stats.peakBuffers = 1;
    stats.peakBufferBytes = Math.max(stats.peakBufferBytes, bytes.byteLength);
  };
  const fillTo = async (offset: number): Promise<void> => {
    while (position < offset) {
      const piece = ZEROS.subarray(0, offset - position);
      await put(piece);
      zeroBytes += piece.byteLength;
      stats.zeroWrites++;
    }
  };
  return {
    async write(chunk) {
      const header = openChunk(chunk);
      image.add(header);
      const extents = dataExtents(header);
      if ((extents[0]?.diskOffset ?? 0) < position) {
        throw fail(
          'ndz-chunk-order',
          `chunk ${header.index} writes before byte ${position}, which is out already`,
          'write to a file instead of a pipe',
        );
      }
      let pieceOffset = 0;
      for await (const piece of inflatePieces(chunk, header)) {
        for (const part of partsWithin(extents, pieceOffset, piece.byteLength)) {
          await fillTo(part.diskOffset);
          await put(piece.subarray(part.from, part.to));
        }
        pieceOffset += piece.byteLength;
      }
    },
    async finish() {
      image.checkComplete();
      await fillTo(image.endBytes);
      await target.commit();
      const { totals } = image;
      return { ...totals, ...stats, actualBytes: totals.actualBytes + zeroBytes, zeroBytes };
    },
    abort: () => target.discard(),
  };
}
