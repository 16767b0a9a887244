/**
 * What our writer says in every chunk of where its image ends. The format has no word for that: from version 2 on no chunk
 * tells how many there are, so one that was cut between two chunks looks whole. The mark lies in the last 16 bytes of the
 * header area, behind regions and relocations, where the format has nothing and no reader looks; the chunk's SHA1 covers it.
 */
export type EndMark = {
  /** Chunks of the whole image, in its last chunk; 0: others follow. */
  chunkCount: number;
};

/** Bytes at the end of a header area that are the mark's. */
export const END_MARK_BYTES = 16;
const MAGIC = 'imgend1\0';

/** The mark in the last bytes of a header area; null without one. */
export function decodeEndMark(bytes: Uint8Array): EndMark | null {
  const mark = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).subarray(-END_MARK_BYTES);
  if (mark.toString('latin1', 0, MAGIC.length) !== MAGIC) return null;
  return { chunkCount: mark.readUInt32LE(8) };
}

/** Writes a mark into the last bytes of a header area. */
export function encodeEndMark({ chunkCount }: EndMark, bytes: Uint8Array): void {
  const mark = Buffer.alloc(END_MARK_BYTES);
  mark.write(MAGIC, 'latin1');
  mark.writeUInt32LE(chunkCount, 8);
  bytes.set(mark, bytes.byteLength - END_MARK_BYTES);
}
