import type { Library } from './library.js';
import { systemError } from './system-error.js';

const PAGE_BYTES = 4096;
const PROT_READ_WRITE = 3;
const MAP_PRIVATE_ANONYMOUS = 0x22;

/** Memory that the kernel may be given the address of: page aligned, zeroed, never moved. */
export type Arena = {
  readonly address: bigint;
  /** The same bytes as a Buffer and as a DataView. */
  readonly bytes: Buffer;
  readonly view: DataView;
  /** Gives it back. Whoever touches it, or a part of it, afterwards ends the process. */
  release(): void;
};

/** Makes arenas of at least `sizeBytes`, in whole pages. They throw a system error when there is no memory. */
export function arenas(library: Library): (sizeBytes: number) => Arena {
  const mmap = library.func('int64_t mmap(void *, size_t, int, int, int, int64_t)');
  const munmap = library.func('int munmap(int64_t, size_t)');
  return (sizeBytes) => {
    const size = Math.ceil(sizeBytes / PAGE_BYTES) * PAGE_BYTES;
    const address = BigInt(mmap(null, size, PROT_READ_WRITE, MAP_PRIVATE_ANONYMOUS, -1, 0));
    if (address === -1n) throw systemError(library.errno(), 'mmap');
    const memory = library.view(address, size);
    let isMapped = true;
    return {
      address,
      bytes: Buffer.from(memory),
      view: new DataView(memory),
      release: () => {
        if (isMapped) munmap(address, size);
        isMapped = false;
      },
    };
  };
}
