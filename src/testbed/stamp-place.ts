import { open, type FileHandle } from 'node:fs/promises';
import { partitionsOf } from '../disk/slice.js';
import { locateExtFile, readExtFile, sealInode, type ExtFilePlace } from '../disk/ext-file.js';
import { SECTOR_BYTES } from '../disk/sector.js';
import { openSource, type ImageSource } from '../disk/source.js';
import type { Host } from '../util/host.js';
import { makeExtFile } from './disk-file-maker.js';

/** Smaller than what an emulated system can be asked to keep in memory. */
export const MAX_FILE_BYTES = 64 * 1024;
/** Distance of the files of a demo disk that has no file system. */
const PLAIN_STEP_BYTES = 4096;
/** Where an inode has the low half of its file's size. */
const INODE_SIZE = 0x04;

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
  const partitions = await partitionsOf(source).catch(() => null); // no disk of ours
  return partitions?.find(({ number }) => number === 1) ?? null;
}

async function extFile(
  source: ImageSource,
  diskPath: string,
  { startSector, sectorCount }: Partition,
  path: string,
): Promise<DiskFile | null> {
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
async function rewriteExt(
  handle: FileHandle,
  baseOffset: number,
  { fileSystem, inodeNumber, inodeOffset, blockOffsets }: ExtFilePlace,
  content: Uint8Array,
): Promise<void> {
  const { blockBytes, inodeBytes, checksums, checksumSeed } = fileSystem;
  for (const [index, offset] of blockOffsets.entries()) {
    const block = Buffer.alloc(blockBytes);
    block.set(content.subarray(index * blockBytes, (index + 1) * blockBytes));
    await handle.write(block, 0, blockBytes, baseOffset + offset);
  }
  const inode = Buffer.alloc(inodeBytes);
  await handle.read(inode, 0, inodeBytes, baseOffset + inodeOffset);
  inode.writeUInt32LE(content.byteLength, INODE_SIZE);
  if (checksums === 'crc32c') sealInode(inode, inodeNumber, checksumSeed);
  await handle.write(inode, 0, inodeBytes, baseOffset + inodeOffset);
}

type PlainPlace = { content: Buffer; offset: number; capacityBytes: number };

/** The files of a demo disk without a file system: each `/PATH BYTES`, a line end, the content, at the next step; then where the next would go. */
async function plainFiles(
  source: ImageSource,
  { startSector, sectorCount }: Partition,
): Promise<{ files: Map<string, PlainPlace>; end: number }> {
  const files = new Map<string, PlainPlace>();
  const [start, end] = [startSector * SECTOR_BYTES, (startSector + sectorCount) * SECTOR_BYTES];
  let offset = start;
  while (offset + PLAIN_STEP_BYTES <= end) {
    const head = Buffer.from(await source.read(offset, PLAIN_STEP_BYTES));
    const title = /^\/([^\n\0 ]{1,1000}) (\d{1,12})\n/.exec(head.toString('latin1'));
    if (!title) break;
    const [, path = '', size = ''] = title;
    const slotBytes = Math.ceil((title[0].length + Number(size)) / PLAIN_STEP_BYTES) * PLAIN_STEP_BYTES;
    const content = head.subarray(title[0].length, title[0].length + Number(size));
    // only what fits into its first step is read
    if (content.byteLength === Number(size))
      files.set(path, { content, offset, capacityBytes: PLAIN_STEP_BYTES - Buffer.byteLength(`/${path} ${PLAIN_STEP_BYTES}\n`) });
    offset += slotBytes;
  }
  return { files, end: offset + PLAIN_STEP_BYTES <= end ? offset : -1 };
}

async function plainFile(source: ImageSource, diskPath: string, partition: Partition, path: string): Promise<DiskFile | null> {
  const place = (await plainFiles(source, partition)).files.get(path);
  return place
    ? { content: place.content, capacityBytes: place.capacityBytes, write: (fresh) => writePlain(diskPath, place.offset, path, fresh) }
    : null;
}

function writePlain(diskPath: string, offset: number, path: string, content: Uint8Array): Promise<void> {
  return onDisk(diskPath, async (handle) => {
    const bytes = Buffer.alloc(PLAIN_STEP_BYTES);
    bytes.set(Buffer.concat([Buffer.from(`/${path} ${content.byteLength}\n`), content]));
    await handle.write(bytes, 0, bytes.byteLength, offset);
  });
}

/**
 * Puts the file `path` of the folder `root`, whose content is `content`, on the disk under the same name, in more room than it
 * had there or where there was none. Returns why that did not work, or null.
 */
export async function makeDiskFile(host: Host, diskPath: string, root: string, path: string, content: Uint8Array): Promise<string | null> {
  const source = await openSource(diskPath);
  let problem: string | null;
  try {
    const partition = await firstPartition(source);
    if (!partition) return 'there is no partition';
    const { files, end } = await plainFiles(source, partition);
    if (files.size === 0) problem = await makeExtFile(host, diskPath, partition.startSector * SECTOR_BYTES, root, path);
    else if (
      end < 0 ||
      Buffer.byteLength(`/${path} ${PLAIN_STEP_BYTES}\n`) + content.byteLength > PLAIN_STEP_BYTES ||
      files.has(path) ||
      /[ \n]/.test(path)
    )
      problem = `no room on the disk for ${content.byteLength} bytes`;
    else problem = await writePlain(diskPath, end, path, content).then(() => null);
  } finally {
    await source.close();
  }
  if (problem !== null) return problem;
  return (await findDiskFile(diskPath, path))?.content.equals(content) === true
    ? null
    : `no room on the disk for ${content.byteLength} bytes, or a file system that cannot be written`;
}

async function onDisk(diskPath: string, work: (handle: FileHandle) => Promise<void>): Promise<void> {
  const handle = await open(diskPath, 'r+');
  try {
    await work(handle);
  } finally {
    await handle.close();
  }
}
