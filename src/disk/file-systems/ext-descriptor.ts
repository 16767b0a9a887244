import { crc16, crc32c } from '../tables/crc.js';
import type { ExtBlocks } from './ext-blocks.js';
import type { ExtSuper } from './ext-super.js';

const BLOCK_UNINIT = 0x2;
const CHECKSUM_OFFSET = 0x1e;

/** A block group as its descriptor tells. */
export type GroupDescriptor = {
  blockBitmap: number;
  inodeBitmap: number;
  inodeTable: number;
  /** In clusters. */
  freeCount: number;
  /** The bitmap was never written: nothing but the group's own tables is in use. */
  isUninitialised: boolean;
  bitmapChecksum: number;
  hasWideChecksum: boolean;
  isSound: boolean;
};

/** First block of a group. */
export function groupStart({ firstDataBlock, blocksPerGroup }: ExtSuper, group: number): number {
  return firstDataBlock + group * blocksPerGroup;
}

/** The block that holds the descriptor of a group: behind the superblock, or (meta_bg) with the groups it describes. */
export function descriptorBlock(fileSystem: ExtSuper, group: number): number {
  const { firstDataBlock, groupsPerDescriptorBlock, firstMetaGroup, blockBytes } = fileSystem;
  const index = Math.floor(group / groupsPerDescriptorBlock);
  const superBlock = blockBytes === 1024 ? 1 : 0;
  if (index < firstMetaGroup) return Math.max(firstDataBlock, superBlock) + 1 + index;
  const first = index * groupsPerDescriptorBlock;
  const start = groupStart(fileSystem, first);
  return (first === 0 ? Math.max(start, superBlock) : start) + (fileSystem.hasBackup(first) ? 1 : 0);
}

/** As it will be once the journal is replayed. */
export async function readDescriptor(blocks: ExtBlocks, fileSystem: ExtSuper, group: number): Promise<GroupDescriptor> {
  const { descriptorBytes, groupsPerDescriptorBlock, is64bit } = fileSystem;
  const offset = (group % groupsPerDescriptorBlock) * descriptorBytes;
  const bytes = await blocks.latest(descriptorBlock(fileSystem, group), offset, descriptorBytes);
  const wide = (low: number, high: number): number => bytes.readUInt32LE(low) + (is64bit ? bytes.readUInt32LE(high) * 0x1_0000_0000 : 0);
  const short = (low: number, high: number): number => bytes.readUInt16LE(low) + (is64bit ? bytes.readUInt16LE(high) * 0x1_0000 : 0);
  const isSound = isDescriptorSound(bytes, fileSystem, group);
  return {
    blockBitmap: wide(0x00, 0x20),
    inodeBitmap: wide(0x04, 0x24),
    inodeTable: wide(0x08, 0x28),
    freeCount: short(0x0c, 0x2c),
    isUninitialised: fileSystem.checksums !== 'none' && (bytes.readUInt16LE(0x12) & BLOCK_UNINIT) !== 0,
    bitmapChecksum: short(0x18, 0x38),
    hasWideChecksum: is64bit,
    isSound,
  };
}

function isDescriptorSound(bytes: Buffer, { checksums, checksumSeed, uuidBytes, is64bit }: ExtSuper, group: number): boolean {
  const number = Buffer.alloc(4);
  number.writeUInt32LE(group);
  const [front, back] = [bytes.subarray(0, CHECKSUM_OFFSET), bytes.subarray(CHECKSUM_OFFSET + 2)];
  const stored = bytes.readUInt16LE(CHECKSUM_OFFSET);
  if (checksums === 'crc32c') {
    const parts = [number, front, Buffer.alloc(2), back];
    return (parts.reduce(crc32c, checksumSeed) & 0xffff) === stored;
  }
  if (checksums === 'crc16') return [uuidBytes, number, front, ...(is64bit ? [back] : [])].reduce(crc16, 0xffff) === stored;
  return true;
}
