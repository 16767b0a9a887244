import { open, type FileHandle } from 'node:fs/promises';
import { crc32c } from '../ndz/allocation/crc.js';
import { readPartitionTable } from '../ndz/allocation/partition-table.js';
import { Volume } from '../ndz/allocation/volume.js';
import { locateExtFile, readExtFile, type ExtFilePlace } from '../ndz/ext-file.js';
import { SECTOR_BYTES } from '../ndz/format.js';
import { openSource, type ImageSource } from '../ndz/source.js';

/** Smaller than what an emulated system can be asked to keep in memory. */
const MAX_FILE_BYTES = 64 * 1024;
/** Distance of the files of a demo disk that has no file system. */
const PLAIN_STEP_BYTES = 4096;
const INODE = { sizeLow: 0x04, generation: 0x64, checksumLow: 0x7c, extraSize: 0x80, checksumHigh: 0x82 } as const;

/** A small file of a disk's first partition, and the means to give it another content without any more room. */
export type DiskFile = {
  content: Buffer;
  /** What it can hold at most. */
  capacityBytes: number;
  /** Puts `content` (at most `capacityBytes`) on the disk. */
  write(content: Uint8Array): Promise<void>;
};

/**
 * Finds the file `path` (no leading slash) on the disk at `diskPath`: in an ext2, ext3 or ext4 file system, or on a demo disk
 * that was made without one. Null when there is none, or nothing here understands the disk.
 */
export async function findDiskFile(diskPath: string, path: string): Promise<DiskFile | null> {
  const source = await openSource(diskPath);
  try {
    const partition = await firstPartition(source);
    if (!partition) return null;
    return (await extFile(source, diskPath, partition, path)) ?? (await plainFile(source, diskPath, partition, path));
  } finally {
    await source.close();
  }
}

type Partition = { startSector: number; sectorCount: number };

async function firstPartition(source: ImageSource): Promise<Partition | null> {
  const disk = new Volume(source, 0, Math.floor((source.sizeBytes ?? 0) / SECTOR_BYTES));
  const table = await readPartitionTable(disk, SECTOR_BYTES).catch(() => null); // no disk of ours
  return table?.partitions.find(({ number }) => number === 1) ?? null;
}

async function extFile(source: ImageSource, diskPath: string, { startSector, sectorCount }: Partition, path: string): Promise<DiskFile | null> {
  const place = await locateExtFile(source, startSector, sectorCount, path, MAX_FILE_BYTES);
  const content = place && (await readExtFile(source, startSector, sectorCount, path, MAX_FILE_BYTES));
  if (!place || !content) return null;
  return {
    content: Buffer.from(content),
    capacityBytes: place.blockOffsets.length * place.fileSystem.blockBytes,
    write: (fresh) => onDisk(diskPath, (handle) => rewriteExt(handle, startSector * SECTOR_BYTES, place, fresh)),
  };
}

/** Another content in the blocks that the file has already, so that nothing but its inode has to know. */
async function rewriteExt(handle: FileHandle, baseOffset: number, { fileSystem, inodeNumber, inodeOffset, blockOffsets }: ExtFilePlace, content: Uint8Array): Promise<void> {
  const { blockBytes, inodeBytes, checksums, checksumSeed } = fileSystem;
  for (const [index, offset] of blockOffsets.entries()) {
    const block = Buffer.alloc(blockBytes);
    block.set(content.subarray(index * blockBytes, (index + 1) * blockBytes));
    await handle.write(block, 0, blockBytes, baseOffset + offset);
  }
  const inode = Buffer.alloc(inodeBytes);
  await handle.read(inode, 0, inodeBytes, baseOffset + inodeOffset);
  inode.writeUInt32LE(content.byteLength, INODE.sizeLow);
  if (checksums === 'crc32c') sealInode(inode, inodeNumber, checksumSeed);
  await handle.write(inode, 0, inodeBytes, baseOffset + inodeOffset);
}

/** Gives an inode its checksum. (Format: "Checksums" in the kernel's documentation of ext4.) */
function sealInode(inode: Buffer, number: number, seed: number): void {
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

/** A demo disk without a file system begins with this file: `/PATH BYTES`, a line end, the content. */
async function plainFile(source: ImageSource, diskPath: string, { startSector, sectorCount }: Partition, path: string): Promise<DiskFile | null> {
  const offset = startSector * SECTOR_BYTES;
  const head = Buffer.from(await source.read(offset, Math.min(PLAIN_STEP_BYTES, sectorCount * SECTOR_BYTES)));
  const end = head.indexOf('\n');
  const [name = '', size = ''] = head.toString('utf8', 0, Math.max(0, end)).split(' ');
  if (name !== `/${path}` || !/^\d{1,4}$/.test(size) || end + 1 + Number(size) > head.byteLength) return null;
  const titleBytes = Buffer.byteLength(`/${path} ${PLAIN_STEP_BYTES}\n`);
  return {
    content: head.subarray(end + 1, end + 1 + Number(size)),
    capacityBytes: PLAIN_STEP_BYTES - titleBytes,
    write: (fresh) =>
      onDisk(diskPath, async (handle) => {
        const bytes = Buffer.alloc(PLAIN_STEP_BYTES);
        bytes.set(Buffer.concat([Buffer.from(`/${path} ${fresh.byteLength}\n`), fresh]));
        await handle.write(bytes, 0, bytes.byteLength, offset);
      }),
  };
}

async function onDisk(diskPath: string, work: (handle: FileHandle) => Promise<void>): Promise<void> {
  const handle = await open(diskPath, 'r+');
  try {
    await work(handle);
  } finally {
    await handle.close();
  }
}
