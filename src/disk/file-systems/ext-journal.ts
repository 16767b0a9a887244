import { ExtBlocks, type JournalCopy } from './ext-blocks.js';
import { blockMap } from './ext-inode.js';
import type { ExtSuper } from './ext-super.js';
import { Inconsistent, type Volume } from '../volume.js';

const MAGIC = 0xc03b_3998;
const HEADER_BYTES = 12;
const BLOCK_TYPE = { descriptor: 1, commit: 2, superV1: 3, superV2: 4, revoke: 5 } as const;
const INCOMPAT = { is64bit: 0x2, checksumV2: 0x8, checksumV3: 0x10, fastCommit: 0x20 } as const;
const KNOWN_INCOMPAT = 0x3f;
const TAG = { escaped: 1, sameUuid: 2, last: 8 } as const;
const UUID_BYTES = 16;
/** Four times what mke2fs makes at most. */
const MAX_JOURNAL_BLOCKS = 1 << 20;

type Journal = {
  firstBlock: number;
  blockCount: number;
  start: number;
  sequence: number;
  incompat: number;
  place: (journalBlock: number) => number;
};

/**
 * The blocks that wait in the journal of a file system which was not unmounted: for each, its committed copies in order.
 * (Format: "The Journal (jbd2)" in the kernel's documentation of ext4.) Throws Inconsistent when the journal cannot be followed.
 */
export async function readExtJournal(volume: Volume, fileSystem: ExtSuper): Promise<Map<number, JournalCopy[]>> {
  const blocks = new ExtBlocks(volume, fileSystem);
  const journal = await openJournal(blocks, fileSystem);
  const copies = new Map<number, JournalCopy[]>();
  if (journal.start === 0) return copies;
  let sequence = journal.sequence;
  let pending: { block: number; copy: JournalCopy }[] = [];
  let at = journal.start;
  const next = (): void => {
    at = at + 1 === journal.blockCount ? journal.firstBlock : at + 1;
  };
  for (let seen = 0; seen < journal.blockCount; seen++) {
    const bytes = await blocks.inPlace(journal.place(at));
    const [magic, type, blockSequence] = [bytes.readUInt32BE(0), bytes.readUInt32BE(4), bytes.readUInt32BE(8)];
    if (magic !== MAGIC || blockSequence !== sequence) break;
    next();
    if (type === BLOCK_TYPE.commit) {
      for (const { block, copy } of pending) {
        const known = copies.get(block);
        if (known) known.push(copy);
        else copies.set(block, [copy]);
      }
      pending = [];
      sequence = (sequence + 1) >>> 0;
    } else if (type === BLOCK_TYPE.descriptor) {
      for (const { block, isEscaped } of readTags(bytes, journal.incompat)) {
        pending.push({ block, copy: { journalBlock: journal.place(at), isEscaped } });
        next();
        seen++;
      }
    } else if (type !== BLOCK_TYPE.revoke) break; // what was revoked is no bitmap: those stay where they are
  }
  return copies;
}

async function openJournal(blocks: ExtBlocks, fileSystem: ExtSuper): Promise<Journal> {
  const { journalInode, blockBytes } = fileSystem;
  if (journalInode === 0) throw new Inconsistent('its journal is on another device');
  const place = await blockMap(blocks, fileSystem, journalInode);
  const bytes = await blocks.inPlace(place(0));
  const word = (offset: number): number => bytes.readUInt32BE(offset);
  const type = word(4);
  if (word(0) !== MAGIC || (type !== BLOCK_TYPE.superV1 && type !== BLOCK_TYPE.superV2))
    throw new Inconsistent('its journal does not begin as one');
  const incompat = type === BLOCK_TYPE.superV2 ? word(0x28) : 0;
  if ((incompat & ~KNOWN_INCOMPAT) !== 0) throw new Inconsistent('its journal has features that are not known here');
  if (incompat & INCOMPAT.fastCommit) throw new Inconsistent('its journal holds fast commits');
  if (word(0x20) !== 0) throw new Inconsistent('its journal records an error');
  const journal = { firstBlock: word(0x14), blockCount: word(0x10), start: word(0x1c), sequence: word(0x18), incompat, place };
  const isInside = (block: number): boolean => block >= journal.firstBlock && block < journal.blockCount;
  const isSound =
    word(0x0c) === blockBytes &&
    journal.blockCount <= MAX_JOURNAL_BLOCKS &&
    journal.firstBlock >= 1 &&
    isInside(journal.firstBlock) &&
    (journal.start === 0 || isInside(journal.start));
  if (!isSound) throw new Inconsistent('the numbers in its journal contradict each other');
  return journal;
}

/** The blocks a descriptor announces, in the order in which they follow it. */
function readTags(bytes: Buffer, incompat: number): { block: number; isEscaped: boolean }[] {
  const [is64bit, isV3] = [(incompat & INCOMPAT.is64bit) !== 0, (incompat & INCOMPAT.checksumV3) !== 0];
  const isV2 = (incompat & INCOMPAT.checksumV2) !== 0;
  const tagBytes = isV3 ? 16 : (is64bit ? 12 : 8) + (isV2 ? 2 : 0);
  const end = bytes.byteLength - (isV2 || isV3 ? 4 : 0); // a checksum ends the block
  const tags: { block: number; isEscaped: boolean }[] = [];
  for (let at = HEADER_BYTES; at + tagBytes <= end; ) {
    const flags = isV3 ? bytes.readUInt32BE(at + 4) : bytes.readUInt16BE(at + 6);
    const high = is64bit ? bytes.readUInt32BE(at + 8) : 0;
    tags.push({ block: bytes.readUInt32BE(at) + high * 0x1_0000_0000, isEscaped: (flags & TAG.escaped) !== 0 });
    if (flags & TAG.last) break;
    at += tagBytes + (flags & TAG.sameUuid ? 0 : UUID_BYTES);
  }
  return tags;
}
