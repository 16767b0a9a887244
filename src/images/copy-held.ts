import { createHash } from 'node:crypto';
import { open, rm } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import type { HeldImage } from './held-image.js';

const PIECE_BYTES = 1 << 20;

/**
 * Copies an image from its descriptor into a new file, which has its date and `mode`, and is on disk when this resolves;
 * gives the SHA-256 of what was copied, hex. Throws the system's error, or the signal's reason; nothing is left then.
 */
export async function copyHeld({ handle, stats }: HeldImage, to: string, mode: number, { signal, onBytes }: { signal: AbortSignal; onBytes: (doneBytes: number, totalBytes: number) => void }): Promise<string> {
  const hash = createHash('sha256');
  let doneBytes = 0;
  const counted = async function* (pieces: AsyncIterable<Buffer>) {
    for await (const piece of pieces) {
      hash.update(piece);
      yield piece;
      onBytes((doneBytes += piece.byteLength), stats.size);
    }
  };
  const copy = await open(to, 'wx', 0o600);
  try {
    await pipeline(handle.createReadStream({ start: 0, autoClose: false, highWaterMark: PIECE_BYTES }), counted, copy.createWriteStream({ autoClose: false }), { signal });
    await copy.utimes(stats.atime, stats.mtime);
    await copy.chmod(mode);
    await copy.sync();
  } catch (error) {
    await rm(to, { force: true });
    throw error;
  } finally {
    await copy.close();
  }
  return hash.digest('hex');
}
