import type { Capability } from './capability.js';
import { switchedOff } from './switches.js';

/** Makes zeroed memory that disks may be read into and written from directly, in whole pages. Throws when there is none. */
export type DirectMemory = (sizeBytes: number) => Buffer;

/** Which types for Node.js leave out. */
declare const WebAssembly: { Memory: new (pages: { initial: number; maximum: number }) => { readonly buffer: ArrayBuffer } };

const PAGE_BYTES = 64 * 1024;

/**
 * The memory of a WebAssembly module begins at a page, stays where it is, and is given back when nobody refers to it any more:
 * all that O_DIRECT asks for, and it needs no library, which a thread that is ended meanwhile would take the process along with.
 */
const newMemory: DirectMemory = (sizeBytes) => {
  const pages = Math.ceil(sizeBytes / PAGE_BYTES);
  return Buffer.from(new WebAssembly.Memory({ initial: pages, maximum: pages }).buffer);
};

const whyOff = (): string | null =>
  switchedOff('direct-io') ?? (process.platform === 'linux' ? null : `disks are opened so on Linux only, this is ${process.platform}`);

/** What reading and writing with O_DIRECT needs besides a descriptor opened so: the rest is Node's own file system. */
export const directIo: Capability<DirectMemory> = {
  name: 'direct-io',
  does: 'reads and writes disks past the page cache (O_DIRECT): written means on the disk, and memory stays free',
  without: 'disks are read and written through the page cache, which is written out at the end',
  get: () => Promise.resolve(whyOff() === null ? newMemory : null),
  whyOff: () => Promise.resolve(whyOff()),
};
