import { directIo } from '../native/direct-io.js';
import { fileSpace } from '../native/file-space.js';
import { BufferedWrites } from './buffered-writes.js';
import { DirectWrites } from './direct-writes.js';
import type { OpenTarget } from './target.js';
import type { Writes } from './writes.js';

/** The way that an open target is written, at most `most` pieces at a time: a block device past the page cache where that is possible. */
export async function openWrites(
  target: Pick<OpenTarget, 'fd' | 'path' | 'kind' | 'direct'>,
  most: number,
  signal?: AbortSignal,
): Promise<Writes> {
  const newMemory = target.direct && (await directIo.get());
  try {
    if (target.direct && newMemory) return new DirectWrites(target, { direct: target.direct, newMemory, space: fileSpace, most, signal });
  } catch {
    // no memory for it: the cache makes do with less
  }
  // what waits for a file is another thread's event loop, and files are often in memory: only a disk is kept busy
  return new BufferedWrites(target, most, target.kind === 'block', signal);
}
