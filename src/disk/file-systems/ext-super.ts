import { crc32c } from '../tables/crc.js';
import { diskText, Inconsistent, isPowerOfTwo, uuidText, type Volume } from '../volume.js';

const SUPERBLOCK_OFFSET = 1024;
const SUPERBLOCK_BYTES = 1024;
const MAGIC = 0xef53;
/** A file system of 2 TiB with the smallest usual groups has half as many. */
const MAX_GROUPS = 1 << 19;
const MIN_BLOCKS_PER_GROUP = 256;
const MAX_BLOCK_BYTES = 65_536;

const COMPAT = { hasJournal: 0x4, sparseSuper2: 0x200 } as const;
const INCOMPAT = { recover: 0x4, journalDevice: 0x8, metaBg: 0x10, extents: 0x40, is64bit: 0x80, checksumSeed: 0x2000 } as const;
const RO_COMPAT = { sparseSuper: 0x1, gdtChecksum: 0x10, bigalloc: 0x200, metadataChecksum: 0x400 } as const;
/** filetype recover journal_dev meta_bg extents 64bit mmp flex_bg ea_inode dirdata csum_seed largedir inline_data encrypt casefold */
const KNOWN_INCOMPAT = 0x3f7de;
/** sparse_super large_file btree_dir huge_file uninit_bg dir_nlink extra_isize quota bigalloc metadata_csum replica readonly project shared_blocks verity orphan_present */
const KNOWN_RO_COMPAT = 0x1ff7f;
/** What ext3 knew already; anything more makes it ext4. */
const EXT3_INCOMPAT = 0x2 | 0x4 | 0x10;
const EXT3_RO_COMPAT = 0x7;

/** The superblock's numbers, checked against each other and against the volume. Block numbers count from the volume's start. */
export type ExtSuper = {
  name: 'ext2' | 'ext3' | 'ext4';
  blockBytes: number;
  blockCount: number;
  firstDataBlock: number;
  blocksPerGroup: number;
  /** One bit of a group's bitmap stands for so many blocks: 1, more with bigalloc. */
  blocksPerCluster: number;
  groupCount: number;
  inodesPerGroup: number;
  inodeBytes: number;
  descriptorBytes: number;
  reservedDescriptorBlocks: number;
  /** Groups that share a block of descriptors. */
  groupsPerDescriptorBlock: number;
  /** With meta_bg: the first block of descriptors that lies with its groups; Infinity without. */
  firstMetaGroup: number;
  hasBackup(group: number): boolean;
  /** How descriptors are checked: `crc32c` checks bitmaps too. Only checked descriptors may say that a bitmap was never written. */
  checksums: 'crc32c' | 'crc16' | 'none';
  checksumSeed: number;
  uuidBytes: Buffer;
  is64bit: boolean;
  isUnmounted: boolean;
  hasErrors: boolean;
  needsRecovery: boolean;
  journalInode: number;
  label: string | null;
  uuid: string | null;
};

/** Whether an ext2, ext3 or ext4 file system seems to be there. */
export async function looksLikeExt(volume: Volume): Promise<boolean> {
  const bytes = await volume.peek(SUPERBLOCK_OFFSET, SUPERBLOCK_BYTES);
  // two bytes of magic alone are found in other things as well
  return bytes?.readUInt16LE(0x38) === MAGIC && bytes.readUInt32LE(0x18) <= 6 && bytes.readUInt32LE(0x4c) <= 1;
}

/** Reads and checks the primary superblock. Throws Inconsistent. */
export async function readExtSuper(volume: Volume): Promise<ExtSuper> {
  const bytes = await volume.read(SUPERBLOCK_OFFSET, SUPERBLOCK_BYTES);
  const [compat, incompat, roCompat] = [bytes.readUInt32LE(0x5c), bytes.readUInt32LE(0x60), bytes.readUInt32LE(0x64)];
  refuseUnknown(incompat, roCompat);
  const is = (word: number, bit: number): boolean => (word & bit) !== 0;
  if (is(roCompat, RO_COMPAT.metadataChecksum) && crc32c(0xffff_ffff, bytes.subarray(0, 0x3fc)) !== bytes.readUInt32LE(0x3fc)) {
    throw new Inconsistent('its superblock has a wrong checksum');
  }
  const geometry = geometryOf(bytes, is(incompat, INCOMPAT.is64bit), is(roCompat, RO_COMPAT.bigalloc));
  if (geometry.blockCount * geometry.blockBytes > volume.sizeBytes) {
    throw new Inconsistent(`it has ${geometry.blockCount * geometry.blockBytes} bytes, in a place of ${volume.sizeBytes}`);
  }
  const uuidBytes = bytes.subarray(0x68, 0x78);
  return {
    ...geometry,
    name: nameOf(compat, incompat, roCompat),
    firstMetaGroup: is(incompat, INCOMPAT.metaBg) ? bytes.readUInt32LE(0x104) : Infinity,
    reservedDescriptorBlocks: Math.min(bytes.readUInt16LE(0xce), geometry.blocksPerGroup),
    hasBackup: backups(bytes, is(compat, COMPAT.sparseSuper2), is(roCompat, RO_COMPAT.sparseSuper)),
    checksums: is(roCompat, RO_COMPAT.metadataChecksum) ? 'crc32c' : is(roCompat, RO_COMPAT.gdtChecksum) ? 'crc16' : 'none',
    checksumSeed: is(incompat, INCOMPAT.checksumSeed) ? bytes.readUInt32LE(0x270) : crc32c(0xffff_ffff, uuidBytes),
    is64bit: is(incompat, INCOMPAT.is64bit),
    isUnmounted: is(bytes.readUInt16LE(0x3a), 1),
    hasErrors: is(bytes.readUInt16LE(0x3a), 2),
    needsRecovery: is(incompat, INCOMPAT.recover),
    journalInode: bytes.readUInt32LE(0xe0),
    uuidBytes,
    uuid: uuidText(uuidBytes),
    label: diskText(bytes.subarray(0x78, 0x88)),
  };
}

function refuseUnknown(incompat: number, roCompat: number): void {
  if (incompat & INCOMPAT.journalDevice) throw new Inconsistent('it is the journal of a file system elsewhere');
  const unknown = [incompat & ~KNOWN_INCOMPAT, roCompat & ~KNOWN_RO_COMPAT];
  if (unknown.some((bits) => bits !== 0)) {
    throw new Inconsistent(
      `it has features that are not known here (${unknown.map((bits) => `0x${(bits >>> 0).toString(16)}`).join(', ')})`,
    );
  }
}

type Geometry = Pick<
  ExtSuper,
  | 'blockBytes'
  | 'blockCount'
  | 'firstDataBlock'
  | 'blocksPerGroup'
  | 'blocksPerCluster'
  | 'groupCount'
  | 'inodesPerGroup'
  | 'inodeBytes'
  | 'descriptorBytes'
  | 'groupsPerDescriptorBlock'
>;

function geometryOf(bytes: Buffer, is64bit: boolean, isBigalloc: boolean): Geometry {
  const word = (offset: number): number => bytes.readUInt32LE(offset);
  const blockBytes = 1024 * 2 ** word(0x18);
  const blocksPerCluster = isBigalloc ? 2 ** (word(0x1c) - word(0x18)) : 1;
  const [firstDataBlock, blocksPerGroup] = [word(0x14), word(0x20)];
  const blockCount = word(0x04) + (is64bit ? word(0x150) * 0x1_0000_0000 : 0);
  const inodeBytes = word(0x4c) === 0 ? 128 : bytes.readUInt16LE(0x58);
  const descriptorBytes = is64bit ? bytes.readUInt16LE(0xfe) : 32;
  const groupCount = Math.ceil((blockCount - firstDataBlock) / blocksPerGroup);
  const clustersPerGroup = blocksPerGroup / blocksPerCluster;
  const inodesPerGroup = word(0x28);
  const isSound =
    blockBytes <= MAX_BLOCK_BYTES &&
    isPowerOfTwo(blocksPerCluster) &&
    firstDataBlock <= 1 &&
    blocksPerGroup >= MIN_BLOCKS_PER_GROUP &&
    clustersPerGroup % 8 === 0 &&
    clustersPerGroup <= blockBytes * 8 &&
    (!isBigalloc || word(0x24) === clustersPerGroup) &&
    groupCount >= 1 &&
    groupCount <= MAX_GROUPS &&
    inodesPerGroup > 0 &&
    inodesPerGroup <= blockBytes * 8 &&
    isPowerOfTwo(inodeBytes) &&
    inodeBytes >= 128 &&
    inodeBytes <= blockBytes &&
    isPowerOfTwo(descriptorBytes) &&
    descriptorBytes >= (is64bit ? 64 : 32) &&
    descriptorBytes <= 1024;
  if (!isSound) throw new Inconsistent('the sizes in its superblock contradict each other');
  return {
    blockBytes,
    blockCount,
    firstDataBlock,
    blocksPerGroup,
    blocksPerCluster,
    groupCount,
    inodesPerGroup,
    inodeBytes,
    descriptorBytes,
    groupsPerDescriptorBlock: blockBytes / descriptorBytes,
  };
}

function nameOf(compat: number, incompat: number, roCompat: number): ExtSuper['name'] {
  if ((incompat & ~EXT3_INCOMPAT) !== 0 || (roCompat & ~EXT3_RO_COMPAT) !== 0) return 'ext4';
  return compat & COMPAT.hasJournal ? 'ext3' : 'ext2';
}

/** Which groups begin with copies of the superblock and the descriptors. */
function backups(bytes: Buffer, isSparse2: boolean, isSparse: boolean): (group: number) => boolean {
  if (isSparse2) {
    const chosen = new Set([0, bytes.readUInt32LE(0x24c), bytes.readUInt32LE(0x250)]);
    return (group) => chosen.has(group);
  }
  return (group) => !isSparse || group <= 1 || [3, 5, 7].some((base) => isPowerOf(base, group));
}

function isPowerOf(base: number, value: number): boolean {
  let power = base;
  while (power < value) power *= base;
  return power === value;
}
