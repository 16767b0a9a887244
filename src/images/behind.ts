import type { FileWindow } from './file-window.js';
import type { Magic } from './packed-magics.js';

/**
 * What follows compressed data: nothing (the end, or zeros up to it), another member, something that looks like a member
 * whose first bytes are damaged, or other bytes, as signatures.
 */
export type Behind = { is: 'nothing' } | { is: 'member' | 'damaged'; at: number } | { is: 'others'; note: string };

/**
 * Looks at what lies from byte `end` on. `magic`: how a member begins, null for any byte; a third of it may be wrong in a
 * damaged one. `isAlso`: other beginnings that count.
 */
export async function lookBehind(
  input: FileWindow,
  end: number,
  magic: Magic,
  isAlso: (head: Buffer) => boolean = () => false,
): Promise<Behind> {
  const at = await firstNonZero(input, end);
  if (at === null) return { is: 'nothing' };
  const head = await input.bytes(at, Math.max(16, magic.length));
  if (matches(head, magic) === magic.length || isAlso(head)) return { is: 'member', at };
  if (head.byteLength < magic.length && matches(head, magic) === head.byteLength) return { is: 'damaged', at };
  const tolerated = Math.floor(magic.length / 3);
  // its first bytes may be zeros now
  for (let begin = at; begin >= Math.max(end, at - tolerated); begin--) {
    if (matches(await input.bytes(begin, magic.length), magic) >= magic.length - tolerated) return { is: 'damaged', at: begin };
  }
  return { is: 'others', note: `${input.sizeBytes - end} bytes behind the compressed data were ignored` };
}

function matches(bytes: Buffer, magic: Magic): number {
  return magic.filter((byte, i) => i < bytes.byteLength && (byte === null || bytes[i] === byte)).length;
}

async function firstNonZero(input: FileWindow, from: number): Promise<number | null> {
  for (let at = from; at < input.sizeBytes; ) {
    const block = await input.from(at);
    const found = block.findIndex((byte) => byte !== 0);
    if (found >= 0) return at + found;
    at += block.byteLength;
  }
  return null;
}
