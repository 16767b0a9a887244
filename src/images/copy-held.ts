import { createHash } from 'node:crypto';
import { open, rm } from 'node:fs/promises';
import type { HeldImage } from './held-image.js';

const PIECE_BYTES = 1 << 20;

/**
 * Copies an image from its descriptor into a new file, which has its date and `mode`, and is on disk when this resolves;
 * gives the SHA-256 of what was copied, hex. Throws the system's error, or the signal's reason; nothing is left then.
 */
export async function copyHeld(
  { handle, stats }: HeldImage,
  to: string,
  mode: number,
  { signal, onBytes }: { signal: AbortSignal; onBytes: (doneBytes: number, totalBytes: number) => void },
): Promise<string> {
  const hash = createHash('sha256');
  const piece = Buffer.allocUnsafe(PIECE_BYTES);
  const copy = await open(to, 'wx', 0o600);
  try {
    for (let doneBytes = 0; ; ) {
      signal.throwIfAborted();
      const { bytesRead } = await handle.read(piece, 0, PIECE_BYTES, doneBytes);
      if (bytesRead === 0) break;
      hash.update(piece.subarray(0, bytesRead));
      for (let written = 0; written < bytesRead; ) written += (await copy.write(piece, written, bytesRead - written)).bytesWritten;
      onBytes((doneBytes += bytesRead), stats.size);
    }
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
