import { SECTOR_BYTES, type SectorRange } from '../sector.js';
import { crc32c } from '../tables/crc.js';
import { ExtBlocks } from './ext-blocks.js';
import { descriptorBlock, groupStart, readDescriptor, type GroupDescriptor } from './ext-descriptor.js';
import { readExtJournal } from './ext-journal.js';
import { looksLikeExt, readExtSuper, type ExtSuper } from './ext-super.js';
import type { Candidate, Collect, FileSystem } from './file-system.js';
import { clearBits, mergeRanges, type FreeRuns } from './free-runs.js';
import { Inconsistent, type Volume } from '../volume.js';

/** ext2, ext3 and ext4. */
export async function probeExt(volume: Volume): Promise<Candidate | null> {
  return (await looksLikeExt(volume)) ? { name: 'ext', read: readExt } : null;
}

/**
 * Free are the clear bits of each group's block bitmap; of a group whose bitmap was never written, all but the file
 * system's own tables. A group that contradicts itself is saved whole. With a journal to be replayed, a block is free
 * only if it is so in every version of the bitmap, in place and in the journal: both must lead to a sound copy.
 * (Format: "ext4 Data Structures and Algorithms" in the kernel's documentation.)
 */
async function readExt(volume: Volume, collect: Collect): Promise<FileSystem> {
  const fileSystem = await readExtSuper(volume);
  const found = {
    name: fileSystem.name,
    label: fileSystem.label,
    uuid: fileSystem.uuid,
    sectorCount: (fileSystem.blockCount * fileSystem.blockBytes) / SECTOR_BYTES,
  };
  const { needsRecovery, isUnmounted, hasErrors } = fileSystem;
  if (hasErrors || (!needsRecovery && !isUnmounted)) {
    const what = hasErrors ? 'is marked as having errors' : 'was not unmounted cleanly and has no journal to make up for it';
    return {
      ...found,
      state: 'dirty',
      savedAs: 'raw',
      free: null,
      notes: [`${what}, so its free space is not certain: saved raw; run e2fsck for a smaller image`],
    };
  }
  const notes = needsRecovery ? ['was not unmounted cleanly; its journal is saved with it and will be replayed when it is mounted'] : [];
  const journal = needsRecovery ? await readExtJournal(volume, fileSystem) : undefined;
  const blocks = new ExtBlocks(volume, fileSystem, journal);
  const free = collect(await ownTables(blocks, fileSystem));
  let unsound = 0;
  for (let group = 0; group < fileSystem.groupCount; group++) {
    if (!(await addGroup(blocks, fileSystem, group, free))) unsound++;
  }
  if (unsound > 0)
    notes.push(`${unsound} of its ${fileSystem.groupCount} block groups contradict themselves and are saved whole; run e2fsck`);
  return { ...found, state: needsRecovery || unsound > 0 ? 'dirty' : 'clean', savedAs: 'allocated', free, notes };
}

/** Superblocks, descriptors, bitmaps and inode tables, which are never free whatever a bitmap says. */
async function ownTables(blocks: ExtBlocks, fileSystem: ExtSuper): Promise<SectorRange[]> {
  const { blockBytes, blockCount, inodesPerGroup, inodeBytes, groupCount } = fileSystem;
  const blockSectors = blockBytes / SECTOR_BYTES;
  const tableBlocks = Math.ceil((inodesPerGroup * inodeBytes) / blockBytes);
  const tables: SectorRange[] = [];
  const add = (start: number, count: number): void => {
    if (!(start >= 0 && start + count <= blockCount))
      throw new Inconsistent(`it refers to block ${start + count - 1}, and has ${blockCount}`);
    const last = tables.at(-1);
    if (last?.endSector === start * blockSectors) last.endSector += count * blockSectors;
    else tables.push({ startSector: start * blockSectors, endSector: (start + count) * blockSectors });
  };
  for (let group = 0; group < groupCount; group++) {
    const start = groupStart(fileSystem, group);
    add(start, Math.min(headBlocks(fileSystem, group), blockCount - start));
    const { blockBitmap, inodeBitmap, inodeTable } = await readDescriptor(blocks, fileSystem, group);
    add(blockBitmap, 1);
    add(inodeBitmap, 1);
    add(inodeTable, tableBlocks);
  }
  return mergeRanges(tables);
}

/** How many blocks at a group's start belong to superblock and descriptors, room for more of them included. */
function headBlocks(fileSystem: ExtSuper, group: number): number {
  const { firstMetaGroup, groupsPerDescriptorBlock, groupCount, reservedDescriptorBlocks, hasBackup } = fileSystem;
  const index = Math.floor(group / groupsPerDescriptorBlock);
  const superBlocks = hasBackup(group) ? 1 : 0;
  if (index < firstMetaGroup) {
    if (superBlocks === 0) return 0;
    const descriptorBlocks = Math.min(firstMetaGroup, Math.ceil(groupCount / groupsPerDescriptorBlock));
    const all = superBlocks + descriptorBlocks + reservedDescriptorBlocks;
    return group === 0 ? Math.max(all, descriptorBlock(fileSystem, 0) + 1) : all;
  }
  const place = group - index * groupsPerDescriptorBlock;
  const hasDescriptors = place === 0 || place === 1 || place === groupsPerDescriptorBlock - 1;
  return superBlocks + (hasDescriptors ? 1 : 0) + (group === 0 ? 1 : 0);
}

/** Adds a group's free space; false when the group contradicts itself, and is kept whole. */
async function addGroup(blocks: ExtBlocks, fileSystem: ExtSuper, group: number, free: FreeRuns): Promise<boolean> {
  const { blockBytes, blocksPerGroup, blocksPerCluster, blockCount } = fileSystem;
  const start = groupStart(fileSystem, group);
  const end = Math.min(start + blocksPerGroup, blockCount);
  const blockSectors = blockBytes / SECTOR_BYTES;
  const descriptor = await readDescriptor(blocks, fileSystem, group);
  if (!descriptor.isSound) return false;
  if (descriptor.isUninitialised) {
    free.add(start * blockSectors, end * blockSectors);
    return true;
  }
  const clusters = Math.ceil((end - start) / blocksPerCluster);
  const bitmap = await usedClusters(blocks, fileSystem, descriptor, clusters);
  if (!bitmap) return false;
  clearBits(bitmap, clusters, (firstBit, endBit) => {
    free.add((start + firstBit * blocksPerCluster) * blockSectors, Math.min(start + endBit * blocksPerCluster, end) * blockSectors);
  });
  return true;
}

/** A group's bitmap, all versions of it laid over each other; null when the latest does not match its descriptor. */
async function usedClusters(
  blocks: ExtBlocks,
  fileSystem: ExtSuper,
  descriptor: GroupDescriptor,
  clusters: number,
): Promise<Uint8Array | null> {
  const { checksums, checksumSeed, blocksPerGroup, blocksPerCluster, blockBytes } = fileSystem;
  const used = Buffer.alloc(blockBytes);
  let isSound = false;
  for await (const bitmap of blocks.versions(descriptor.blockBitmap)) {
    let freeCount = 0;
    clearBits(bitmap, clusters, (firstBit, endBit) => {
      freeCount += endBit - firstBit;
    });
    isSound = freeCount === descriptor.freeCount;
    if (checksums === 'crc32c') {
      const checksum = crc32c(checksumSeed, bitmap.subarray(0, blocksPerGroup / blocksPerCluster / 8));
      isSound &&= (descriptor.hasWideChecksum ? checksum : checksum & 0xffff) === descriptor.bitmapChecksum;
    }
    for (let at = 0; at < blockBytes; at++) used[at] = (used[at] ?? 0) | (bitmap[at] ?? 0);
  }
  return isSound ? used : null;
}
