import { type Arena, arenas } from './arena.js';
import { capability } from './capability.js';

/** Makes memory that disks may be read into and written from directly. Throws a system error when there is none. */
export type DirectMemory = (sizeBytes: number) => Arena;

/** What reading and writing with O_DIRECT needs besides a descriptor opened so: the rest is Node's own file system. */
export const directIo = capability<DirectMemory>(
  {
    name: 'direct-io',
    does: 'reads and writes disks past the page cache (O_DIRECT): written means on the disk, and memory stays free',
    without: 'disks are read and written through the page cache, which is written out at the end',
  },
  arenas,
);
