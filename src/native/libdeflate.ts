import { capability } from './capability.js';
import type { Library } from './library.js';

/** What libdeflate does for us, faster than zlib: whole buffers only. */
export type Libdeflate = {
  /**
   * Inflates a zlib stream, its Adler-32 verified. False unless all of `input` is that one stream, and `output` just what
   * comes out of it; then what `output` holds is undefined, and it is for zlib to say what is wrong.
   */
  inflateZlib(input: Uint8Array, output: Uint8Array): boolean;
};

const SIZE_BYTES = 8;

/** libdeflate, where the system has it. */
export const libdeflate = capability(
  { name: 'libdeflate', does: 'inflates images with libdeflate', without: 'zlib does it, which takes more processor time' },
  openLibdeflate,
);

function openLibdeflate(library: Library): Libdeflate {
  const { func } = library.open('libdeflate.so.0');
  const calls = {
    allocate: func('int64_t libdeflate_alloc_decompressor()'),
    free: func('void libdeflate_free_decompressor(int64_t)'),
    decompress: func('int libdeflate_zlib_decompress_ex(int64_t, const void *, size_t, void *, size_t, void *, void *)'),
  };
  const used = Buffer.alloc(SIZE_BYTES);
  return {
    inflateZlib(input, output) {
      // made anew each time, which costs next to nothing: a thread may end at any time, and nobody would free it then
      const decompressor = BigInt(calls.allocate());
      if (decompressor === 0n) return false;
      try {
        const status = calls.decompress(decompressor, input, input.byteLength, output, output.byteLength, used, null);
        return status === 0 && used.readBigUInt64LE() === BigInt(input.byteLength);
      } finally {
        calls.free(decompressor);
      }
    },
  };
}
