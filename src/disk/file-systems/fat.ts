import { SECTOR_BYTES } from '../sector.js';
import type { Candidate, Collect, FileSystem } from './file-system.js';
import { diskText, Inconsistent, isPowerOfTwo, type Volume } from '../volume.js';

/** Entries of the table are looked at in pieces of so many bytes: a multiple of every entry's size, 1.5 included. */
const PIECE_BYTES = 48 * 1024;
const MAX_FAT12_CLUSTERS = 4084;
const MAX_FAT16_CLUSTERS = 65_524;
const MAX_FAT32_CLUSTERS = 0x0fff_fff5;
const FIRST_CLUSTER = 2;

type Fat = {
  bits: 12 | 16 | 32;
  tableOffset: number;
  tableBytes: number;
  tableCount: number;
  clusterCount: number;
  clusterSectors: number;
  dataSector: number;
  media: number;
  rootCluster: number | null;
  isMarkedDirty: boolean;
  label: string | null;
  uuid: string;
};

/** FAT12, FAT16 and FAT32. They have no magic number: a boot sector that makes sense as one is taken for it. */
export async function probeFat(volume: Volume): Promise<Candidate | null> {
  const sector = await volume.peek(0, SECTOR_BYTES);
  const fat = sector && parseBootSector(sector);
  if (!fat) return null;
  return { name: `fat${fat.bits}`, isInFirstSector: true, read: (from, collect) => readFat(from, collect, fat) };
}

/** The numbers of a boot sector (Microsoft's "FAT: General Overview of On-Disk Format"), or null when it is none of FAT. */
function parseBootSector(bytes: Buffer): Fat | null {
  const jump = bytes.readUInt8(0);
  const name = bytes.toString('latin1', 3, 11);
  if (bytes.readUInt16LE(510) !== 0xaa55 || (jump !== 0xeb && jump !== 0xe9) || /^(NTFS|EXFAT|-FVE-FS-)/.test(name)) return null;
  const [bytesPerSector, sectorsPerCluster, reserved] = [bytes.readUInt16LE(11), bytes.readUInt8(13), bytes.readUInt16LE(14)];
  const [tableCount, rootEntries, media] = [bytes.readUInt8(16), bytes.readUInt16LE(17), bytes.readUInt8(21)];
  if (!isPowerOfTwo(bytesPerSector) || bytesPerSector < 512 || bytesPerSector > 4096 || !isPowerOfTwo(sectorsPerCluster)) return null;
  if (reserved === 0 || tableCount < 1 || tableCount > 2 || (media !== 0xf0 && media < 0xf8)) return null;
  const isWide = bytes.readUInt16LE(22) === 0;
  const tableSectors = bytes.readUInt16LE(22) || bytes.readUInt32LE(36);
  const total = bytes.readUInt16LE(19) || bytes.readUInt32LE(32);
  const rootSectors = Math.ceil((rootEntries * 32) / bytesPerSector);
  const dataStart = reserved + tableCount * tableSectors + rootSectors;
  const clusterCount = Math.floor((total - dataStart) / sectorsPerCluster);
  if (tableSectors === 0 || clusterCount < 1 || isWide !== (rootEntries === 0)) return null;
  const bits = isWide ? 32 : clusterCount <= MAX_FAT12_CLUSTERS ? 12 : 16;
  const unit = bytesPerSector / SECTOR_BYTES;
  const extra = isWide ? 64 : 36; // the extended boot record
  return {
    bits,
    tableCount,
    clusterCount,
    media,
    tableOffset: reserved * bytesPerSector,
    tableBytes: tableSectors * bytesPerSector,
    clusterSectors: sectorsPerCluster * unit,
    dataSector: dataStart * unit,
    rootCluster: isWide ? bytes.readUInt32LE(44) : null,
    isMarkedDirty: (bytes.readUInt8(extra + 1) & 1) !== 0,
    label: labelOf(bytes, extra),
    uuid: bytes
      .toString('hex', extra + 3, extra + 7)
      .replace(/(..)(..)(..)(..)/, '$4$3-$2$1')
      .toUpperCase(),
  };
}

function labelOf(bytes: Buffer, extra: number): string | null {
  const text = bytes.readUInt8(extra + 2) === 0x29 ? diskText(bytes.subarray(extra + 7, extra + 18), 'latin1') : null;
  return text === 'NO NAME' ? null : text;
}

/** Free are the clusters whose entry is zero, in every copy of the table. */
async function readFat(volume: Volume, collect: Collect, fat: Fat): Promise<FileSystem> {
  const { bits, tableOffset, tableBytes, tableCount, clusterCount, clusterSectors, dataSector, rootCluster } = fat;
  const entries = clusterCount + FIRST_CLUSTER;
  if (clusterCount > (bits === 32 ? MAX_FAT32_CLUSTERS : MAX_FAT16_CLUSTERS))
    throw new Inconsistent(`it has ${clusterCount} clusters, too many for its kind`);
  if ((entries * bits) / 8 > tableBytes) throw new Inconsistent('its table is too short for its clusters');
  if (dataSector + clusterCount * clusterSectors > volume.sectorCount) {
    throw new Inconsistent(`it has ${dataSector + clusterCount * clusterSectors} sectors, in a place of ${volume.sectorCount}`);
  }
  const first = await volume.read(tableOffset, 8);
  if (first.readUInt8(0) !== fat.media) throw new Inconsistent('its table does not begin with the media byte of its boot sector');
  const free = collect();
  let isRootFree = false;
  const addFree = (from: number, to: number): void => {
    if (rootCluster !== null && rootCluster >= from && rootCluster < to) isRootFree = true;
    free.add(dataSector + (from - FIRST_CLUSTER) * clusterSectors, dataSector + (to - FIRST_CLUSTER) * clusterSectors);
  };
  let tablesDiffer = false;
  const run = { start: -1 };
  const pieceEntries = (PIECE_BYTES * 8) / bits;
  for (let at = 0; at < entries; at += pieceEntries) {
    const count = Math.min(pieceEntries, entries - at);
    const lengthBytes = Math.ceil((count * bits) / 8);
    const pieces: Buffer[] = [];
    for (let copy = 0; copy < tableCount; copy++)
      pieces.push(await volume.read(tableOffset + copy * tableBytes + (at * bits) / 8, lengthBytes));
    if (pieces.some((piece) => !piece.equals(pieces[0] ?? piece))) tablesDiffer = true;
    scan(pieces, bits, at, count, run, addFree);
  }
  if (run.start >= 0) addFree(run.start, entries);
  if (rootCluster !== null && (isRootFree || rootCluster < FIRST_CLUSTER || rootCluster >= entries))
    throw new Inconsistent('its root folder is in free space');
  return {
    name: `fat${bits}`,
    label: fat.label,
    uuid: fat.uuid,
    sectorCount: dataSector + clusterCount * clusterSectors,
    savedAs: 'allocated',
    free,
    ...stateOf(fat, first, tablesDiffer),
  };
}

/** Finds runs of entries that are zero in all copies; a run may go on from piece to piece. */
function scan(
  pieces: Buffer[],
  bits: number,
  at: number,
  count: number,
  run: { start: number },
  addFree: (from: number, to: number) => void,
): void {
  const entryOf = bits === 32 ? entry32 : bits === 16 ? entry16 : entry12;
  for (let i = at < FIRST_CLUSTER ? FIRST_CLUSTER - at : 0; i < count; i++) {
    let isFree = true;
    for (const piece of pieces) isFree &&= entryOf(piece, i) === 0;
    if (isFree && run.start < 0) run.start = at + i;
    else if (!isFree && run.start >= 0) {
      addFree(run.start, at + i);
      run.start = -1;
    }
  }
}

const entry32 = (table: Buffer, i: number): number => table.readUInt32LE(i * 4) & 0x0fff_ffff;
const entry16 = (table: Buffer, i: number): number => table.readUInt16LE(i * 2);
function entry12(table: Buffer, i: number): number {
  const at = i + (i >> 1);
  const pair = (table[at] ?? 0) | ((table[at + 1] ?? 0) << 8);
  return i & 1 ? pair >> 4 : pair & 0xfff;
}

/** Entry 1 has a bit for "unmounted cleanly" and one for "no disk errors"; Linux marks the boot sector as well. */
function stateOf({ bits, isMarkedDirty }: Fat, first: Buffer, tablesDiffer: boolean): Pick<FileSystem, 'state' | 'notes'> {
  const entry = bits === 32 ? first.readUInt32LE(4) >>> 26 : bits === 16 ? first.readUInt16LE(2) >>> 14 : 3;
  const notes: string[] = [];
  if (isMarkedDirty || (entry & 2) === 0) notes.push('was not unmounted cleanly; run fsck.fat');
  if ((entry & 1) === 0) notes.push('is marked as having had disk errors');
  if (tablesDiffer) notes.push('has two allocation tables that differ: what either calls used is saved');
  return { state: notes.length > 0 ? 'dirty' : 'clean', notes };
}
