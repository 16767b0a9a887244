import { ExtBlocks } from './file-systems/ext-blocks.js';
import { readDescriptor } from './file-systems/ext-descriptor.js';
import { blockMap } from './file-systems/ext-inode.js';
import { looksLikeExt, readExtSuper, type ExtSuper } from './file-systems/ext-super.js';
import { crc32c } from './tables/crc.js';
import { Volume } from './volume.js';
import type { ImageSource } from './source.js';

const ROOT_INODE = 2;
const FORMAT_MASK = 0xf000;
const DIRECTORY = 0x4000;
const REGULAR = 0x8000;
const MAX_DIRECTORY_BYTES = 1024 * 1024;

type Inode = {
  number: number /** Byte of the volume. */;
  offset: number;
  format: number;
  sizeBytes: number;
  blockAt: (fileBlock: number) => number;
};

/** Where a regular file lies: bytes counted from the file system's start. */
export type ExtFilePlace = {
  fileSystem: ExtSuper;
  inodeNumber: number;
  inodeOffset: number;
  sizeBytes: number /** Of each block, in order. */;
  blockOffsets: number[];
};

/**
 * The first `maxBytes` of a regular file of an ext2, ext3 or ext4 file system, or null when it cannot be had cheaply: no
 * such file or file system, a link on the way, damage. `path` has no leading slash. Throws what reading the source throws.
 */
export function readExtFile(
  source: ImageSource,
  startSector: number,
  sectorCount: number,
  path: string,
  maxBytes: number,
): Promise<Uint8Array | null> {
  return withFile(source, startSector, sectorCount, path, (blocks, fileSystem, inode) =>
    readBlocks(blocks, fileSystem, inode, Math.min(inode.sizeBytes, maxBytes)),
  );
}

/** Where such a file of at most `maxBytes` lies, or null as for `readExtFile`. */
export function locateExtFile(
  source: ImageSource,
  startSector: number,
  sectorCount: number,
  path: string,
  maxBytes: number,
): Promise<ExtFilePlace | null> {
  return withFile(source, startSector, sectorCount, path, async (_blocks, fileSystem, { number, offset, sizeBytes, blockAt }) => {
    if (sizeBytes > maxBytes) return null;
    const { blockBytes } = fileSystem;
    const blockOffsets = Array.from({ length: Math.ceil(sizeBytes / blockBytes) }, (_, index) => blockAt(index) * blockBytes);
    return { fileSystem, inodeNumber: number, inodeOffset: offset, sizeBytes, blockOffsets };
  });
}

type Use<T> = (blocks: ExtBlocks, fileSystem: ExtSuper, inode: Inode) => Promise<T | null>;

async function withFile<T>(source: ImageSource, startSector: number, sectorCount: number, path: string, use: Use<T>): Promise<T | null> {
  const volume = new Volume(source, startSector, sectorCount);
  if (!(await looksLikeExt(volume))) return null;
  try {
    const fileSystem = await readExtSuper(volume);
    const blocks = new ExtBlocks(volume, fileSystem);
    let inode = await readInode(blocks, fileSystem, ROOT_INODE);
    for (const name of path.split('/')) {
      if (inode.format !== DIRECTORY) return null;
      const number = await findEntry(blocks, fileSystem, inode, name);
      if (number === null) return null;
      inode = await readInode(blocks, fileSystem, number);
    }
    return inode.format === REGULAR ? await use(blocks, fileSystem, inode) : null;
  } catch (error) {
    if (error instanceof Error && error.name === 'Inconsistent') return null;
    throw error;
  }
}

async function readInode(blocks: ExtBlocks, fileSystem: ExtSuper, number: number): Promise<Inode> {
  const blockAt = await blockMap(blocks, fileSystem, number); // checks the number
  const { inodesPerGroup, inodeBytes, blockBytes } = fileSystem;
  const { inodeTable } = await readDescriptor(blocks, fileSystem, Math.floor((number - 1) / inodesPerGroup));
  const offset = ((number - 1) % inodesPerGroup) * inodeBytes;
  const bytes = await blocks.inPlace(inodeTable + Math.floor(offset / blockBytes), offset % blockBytes, 128);
  return {
    number,
    offset: inodeTable * blockBytes + offset,
    format: bytes.readUInt16LE(0) & FORMAT_MASK,
    sizeBytes: bytes.readUInt32LE(4),
    blockAt,
  };
}

async function readBlocks(blocks: ExtBlocks, { blockBytes }: ExtSuper, inode: Inode, sizeBytes: number): Promise<Uint8Array> {
  const bytes = Buffer.alloc(sizeBytes);
  for (let at = 0; at < sizeBytes; at += blockBytes) {
    bytes.set(await blocks.inPlace(inode.blockAt(at / blockBytes), 0, Math.min(blockBytes, sizeBytes - at)), at);
  }
  return bytes;
}

/** The inode that a name leads to. Indexed directories can be read like any other: their index hides in empty entries. */
async function findEntry(blocks: ExtBlocks, fileSystem: ExtSuper, directory: Inode, wanted: string): Promise<number | null> {
  const { blockBytes } = fileSystem;
  for (let at = 0; at < Math.min(directory.sizeBytes, MAX_DIRECTORY_BYTES); at += blockBytes) {
    const bytes = await blocks.inPlace(directory.blockAt(at / blockBytes), 0, blockBytes);
    for (let entry = 0; entry + 8 <= blockBytes; ) {
      const [inode, entryBytes, nameBytes] = [bytes.readUInt32LE(entry), bytes.readUInt16LE(entry + 4), bytes[entry + 6] ?? 0];
      if (entryBytes < 8) break;
      if (inode !== 0 && bytes.toString('utf8', entry + 8, Math.min(entry + 8 + nameBytes, blockBytes)) === wanted) return inode;
      entry += entryBytes;
    }
  }
  return null;
}

const INODE = { generation: 0x64, checksumLow: 0x7c, extraSize: 0x80, checksumHigh: 0x82 } as const;

/** Gives an inode its checksum. (Format: "Checksums" in the kernel's documentation of ext4.) */
export function sealInode(inode: Buffer, number: number, seed: number): void {
  const isWide = inode.byteLength > 128 && inode.readUInt16LE(INODE.extraSize) >= 4;
  inode.writeUInt16LE(0, INODE.checksumLow);
  if (isWide) inode.writeUInt16LE(0, INODE.checksumHigh);
  const numberBytes = Buffer.alloc(4);
  numberBytes.writeUInt32LE(number);
  const parts = [numberBytes, inode.subarray(INODE.generation, INODE.generation + 4), inode];
  const checksum = parts.reduce(crc32c, seed);
  inode.writeUInt16LE(checksum & 0xffff, INODE.checksumLow);
  if (isWide) inode.writeUInt16LE(checksum >>> 16, INODE.checksumHigh);
}
