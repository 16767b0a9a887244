import { open } from 'node:fs/promises';

const READ_BYTES = 1 << 20;
/** Lines as imaging-save and the demo image leave them in /etc/imaging-image: when, where, what, by whom. */
const STAMP_LINES = /(?:\d{4}-\d\d-\d\d@\d\d:\d\d - node [^\n\0]{1,200} - image [^\n\0]{1,200} - by [^\n\0]{1,3000}\n)+/;
const SIGN = ' - node ';
/** Longer than what a match may hold: read again with the next piece. */
const OVERLAP_BYTES = 4096;

/**
 * The stamp of the image on a disk, or null when it has none. The emulated system cannot mount its disk, so the disk is
 * searched from its beginning: file systems keep a small file in one piece.
 */
export async function readStamp(diskPath: string): Promise<string | null> {
  const handle = await open(diskPath, 'r');
  try {
    const buffer = Buffer.alloc(READ_BYTES + OVERLAP_BYTES);
    let kept = 0;
    for (let offset = 0; ; ) {
      const { bytesRead } = await handle.read(buffer, kept, READ_BYTES, offset);
      if (bytesRead === 0) return null;
      const piece = buffer.subarray(0, kept + bytesRead);
      const found = piece.includes(SIGN, 0, 'latin1') ? STAMP_LINES.exec(piece.toString('latin1')) : null;
      if (found) return Buffer.from(found[0], 'latin1').toString('utf8');
      offset += bytesRead;
      kept = Math.min(OVERLAP_BYTES, piece.length);
      piece.copy(buffer, 0, piece.length - kept);
    }
  } finally {
    await handle.close();
  }
}
