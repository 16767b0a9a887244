import { SECTOR_BYTES } from '../sector.js';
import type { Candidate, Collect, FileSystem } from './file-system.js';
import { clearBits } from './free-runs.js';
import { diskText, Inconsistent, u64, type Volume } from '../volume.js';

const FIRST_CLUSTER = 2;
const BOOT_SECTORS = 11;
const BITMAP_PIECE_BYTES = 32 * 1024;
const MAX_ROOT_CLUSTERS = 4096;
/** What the specification allows. */
const MAX_FOLDER_BYTES = 256 * 1024 * 1024;
const ENTRY_BYTES = 32;
const ENTRY = { bitmap: 0x81, label: 0x83 } as const;

type ExFat = {
  sectorBytes: number;
  fatOffset: number;
  fatBytes: number;
  heapOffset: number;
  clusterBytes: number;
  clusterCount: number;
  rootCluster: number;
  isDirty: boolean;
  uuid: string;
};

/** exFAT, as in Microsoft's "exFAT file system specification". */
export async function probeExFat(volume: Volume): Promise<Candidate | null> {
  const name = await volume.peek(3, 8);
  return name?.toString('latin1') === 'EXFAT   ' ? { name: 'exfat', isInFirstSector: true, read: readExFat } : null;
}

/** Free are the clear bits of the allocation bitmap, a file that the root folder names. */
async function readExFat(volume: Volume, collect: Collect): Promise<FileSystem> {
  const fs = await readBoot(volume);
  const root = await chain(volume, fs, fs.rootCluster, MAX_ROOT_CLUSTERS);
  const { bitmap, label } = await readRoot(volume, fs, root);
  const found = { name: 'exfat', label, uuid: fs.uuid, sectorCount: (fs.heapOffset + fs.clusterCount * fs.clusterBytes) / SECTOR_BYTES };
  if (fs.isDirty) {
    return {
      ...found,
      state: 'dirty',
      savedAs: 'raw',
      free: null,
      notes: ['was not unmounted cleanly, so its free space is not certain: saved raw; run fsck.exfat for a smaller image'],
    };
  }
  if (bitmap.sizeBytes < Math.ceil(fs.clusterCount / 8)) throw new Inconsistent('its allocation bitmap is too short');
  const bitmapClusters = await chain(volume, fs, bitmap.firstCluster, Math.ceil(Math.ceil(fs.clusterCount / 8) / fs.clusterBytes));
  const free = collect();
  const clusterSectors = fs.clusterBytes / SECTOR_BYTES;
  const heapSector = fs.heapOffset / SECTOR_BYTES;
  const own = Uint32Array.from([...root, ...bitmapClusters], (cluster) => cluster - FIRST_CLUSTER).sort();
  let ownAt = 0;
  for await (const { firstBit, endBit } of freeClusters(volume, fs, bitmapClusters)) {
    while ((own[ownAt] ?? Infinity) < firstBit) ownAt++;
    if ((own[ownAt] ?? Infinity) < endBit) throw new Inconsistent('its own tables are in free space');
    free.add(heapSector + firstBit * clusterSectors, heapSector + endBit * clusterSectors);
  }
  return { ...found, state: 'clean', savedAs: 'allocated', free, notes: [] };
}

async function* freeClusters(volume: Volume, fs: ExFat, bitmapClusters: number[]): AsyncGenerator<{ firstBit: number; endBit: number }> {
  const pieceBytes = Math.min(BITMAP_PIECE_BYTES, fs.clusterBytes);
  let bit = 0;
  for (const cluster of bitmapClusters) {
    for (let at = 0; at < fs.clusterBytes && bit < fs.clusterCount; at += pieceBytes) {
      const bits = Math.min(pieceBytes * 8, fs.clusterCount - bit);
      const bitmap = await volume.read(clusterOffset(fs, cluster) + at, pieceBytes);
      const runs: { firstBit: number; endBit: number }[] = [];
      clearBits(bitmap, bits, (first, end) => runs.push({ firstBit: bit + first, endBit: bit + end }));
      yield* runs;
      bit += bits;
    }
  }
}

async function readBoot(volume: Volume): Promise<ExFat> {
  const bytes = await volume.read(0, SECTOR_BYTES);
  const shift = bytes.readUInt8(108);
  const clusterShift = shift + bytes.readUInt8(109);
  if (shift < 9 || shift > 12 || clusterShift > 25) throw new Inconsistent('the sizes in its boot sector contradict each other');
  const sectorBytes = 2 ** shift;
  if ((await bootChecksum(volume, sectorBytes)) !== (await volume.read(BOOT_SECTORS * sectorBytes, 4)).readUInt32LE(0)) {
    throw new Inconsistent('its boot sectors have a wrong checksum');
  }
  const [flags, fatCount] = [bytes.readUInt16LE(106), bytes.readUInt8(110)];
  const fatBytes = bytes.readUInt32LE(84) * sectorBytes;
  const fs: ExFat = {
    sectorBytes,
    fatBytes,
    fatOffset: bytes.readUInt32LE(80) * sectorBytes,
    heapOffset: bytes.readUInt32LE(88) * sectorBytes,
    clusterBytes: 2 ** clusterShift,
    clusterCount: bytes.readUInt32LE(92),
    rootCluster: bytes.readUInt32LE(96),
    isDirty: (flags & 2) !== 0,
    uuid: bytes
      .toString('hex', 100, 104)
      .replace(/(..)(..)(..)(..)/, '$4$3-$2$1')
      .toUpperCase(),
  };
  const endBytes = fs.heapOffset + fs.clusterCount * fs.clusterBytes;
  const isSound =
    fatCount === 1 &&
    (fs.clusterCount + FIRST_CLUSTER) * 4 <= fatBytes &&
    fs.fatOffset + fatBytes <= fs.heapOffset &&
    endBytes <= u64(bytes, 72) * sectorBytes &&
    endBytes <= volume.sizeBytes;
  if (!isSound) throw new Inconsistent('the sizes in its boot sector contradict each other');
  return fs;
}

/** Over the first eleven sectors, without the flags and the usage in percent, which change. */
async function bootChecksum(volume: Volume, sectorBytes: number): Promise<number> {
  const bytes = await volume.read(0, BOOT_SECTORS * sectorBytes);
  let sum = 0;
  for (const [at, byte] of bytes.entries()) if (at !== 106 && at !== 107 && at !== 112) sum = (((sum << 31) | (sum >>> 1)) + byte) >>> 0;
  return sum;
}

type Root = { bitmap: { firstCluster: number; sizeBytes: number }; label: string | null };

async function readRoot(volume: Volume, fs: ExFat, clusters: number[]): Promise<Root> {
  let bitmap: Root['bitmap'] | undefined;
  let label: string | null = null;
  for await (const entry of folderEntries(volume, fs, clusters)) {
    if (entry[0] === ENTRY.bitmap) bitmap ??= { firstCluster: entry.readUInt32LE(20), sizeBytes: u64(entry, 24) };
    if (entry[0] === ENTRY.label) label ??= diskText(entry.subarray(2, 2 + Math.min(entry.readUInt8(1), 11) * 2), 'utf16le');
    if (bitmap && label !== null) break;
  }
  if (!bitmap) throw new Inconsistent('its root folder names no allocation bitmap');
  return { bitmap, label };
}

async function* folderEntries(volume: Volume, fs: ExFat, clusters: number[]): AsyncGenerator<Buffer> {
  const pieceBytes = Math.min(BITMAP_PIECE_BYTES, fs.clusterBytes);
  const wholeBytes = Math.min(clusters.length * fs.clusterBytes, MAX_FOLDER_BYTES);
  for (let offset = 0; offset < wholeBytes; offset += pieceBytes) {
    const cluster = clusters[Math.floor(offset / fs.clusterBytes)] ?? 0;
    const bytes = await volume.read(clusterOffset(fs, cluster) + (offset % fs.clusterBytes), pieceBytes);
    for (let at = 0; at < bytes.byteLength; at += ENTRY_BYTES) {
      if (bytes[at] === 0) return; // the end of the folder
      yield bytes.subarray(at, at + ENTRY_BYTES);
    }
  }
}

/** The clusters of a chain, at most `limit`. Throws Inconsistent when it leaves the volume; a circle ends at the limit. */
async function chain(volume: Volume, fs: ExFat, first: number, limit: number): Promise<number[]> {
  const clusters: number[] = [];
  for (let cluster = first; clusters.length < limit; ) {
    if (!(cluster >= FIRST_CLUSTER && cluster < fs.clusterCount + FIRST_CLUSTER)) throw new Inconsistent('a chain of clusters leaves it');
    clusters.push(cluster);
    cluster = (await volume.read(fs.fatOffset + cluster * 4, 4)).readUInt32LE(0);
    if (cluster >= 0xffff_fff8) break;
  }
  return clusters;
}

function clusterOffset(fs: ExFat, cluster: number): number {
  return fs.heapOffset + (cluster - FIRST_CLUSTER) * fs.clusterBytes;
}
