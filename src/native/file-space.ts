import { capability } from './capability.js';
import { systemError } from './system-error.js';

const SYNC_FILE_RANGE_WRITE = 2;
const FALLOC_FL_ZERO_RANGE = 0x10;

/** What the kernel does with a range of an open file or block device. All throw a system error. */
export type FileSpace = {
  /** Begins to write out what the page cache has of it, and waits for nothing. */
  beginSync(fd: number, offset: number, sizeBytes: number): void;
  /** Makes it read as zeros, in whole sectors: by the device itself where that can. */
  zeroRange(fd: number, offset: number, sizeBytes: number): void;
};

export const fileSpace = capability<FileSpace>(
  {
    name: 'file-space',
    does: 'files are written out while they are being written (sync_file_range); devices make zeros themselves (fallocate)',
    without: 'files are written out at the end; zeros are written like anything else',
  },
  (library) => {
    const syncFileRange = library.func('int sync_file_range(int, int64_t, int64_t, unsigned int)');
    const fallocate = library.func('int fallocate(int, int, int64_t, int64_t)');
    const check = (result: number | bigint, call: string): void => {
      if (result !== 0) throw systemError(library.errno(), call);
    };
    return {
      beginSync: (fd, offset, sizeBytes) => check(syncFileRange(fd, offset, sizeBytes, SYNC_FILE_RANGE_WRITE), 'sync_file_range'),
      zeroRange: (fd, offset, sizeBytes) => check(fallocate(fd, FALLOC_FL_ZERO_RANGE, offset, sizeBytes), 'fallocate'),
    };
  },
);
