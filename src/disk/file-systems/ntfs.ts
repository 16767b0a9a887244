import { SECTOR_BYTES } from '../sector.js';
import type { Candidate, Collect, FileSystem } from './file-system.js';
import { clearBits } from './free-runs.js';
import { ATTRIBUTE, type Attribute } from './ntfs-record.js';
import { NtfsVolume, RECORD, type Geometry } from './ntfs-volume.js';
import { isHibernated, isLogClean } from './ntfs-state.js';
import { diskText, Inconsistent, isPowerOfTwo, u64, type Volume } from '../volume.js';

const PIECE_BYTES = 32 * 1024;
const DIRTY = 0x1;
const MAX_CLUSTER_BYTES = 2 * 1024 * 1024;

/** NTFS. */
export async function probeNtfs(volume: Volume): Promise<Candidate | null> {
  const sector = await volume.peek(0, SECTOR_BYTES);
  return sector?.toString('latin1', 3, 11) === 'NTFS    ' ? { name: 'ntfs', isInFirstSector: true, read: readNtfs } : null;
}

/**
 * Free are the clear bits of $Bitmap. The boot sector's copy lies behind the last cluster, where nothing is ever free.
 * (Format: the documentation of the Linux-NTFS project.)
 */
async function readNtfs(volume: Volume, collect: Collect): Promise<FileSystem> {
  const ntfs = new NtfsVolume(volume, await readBoot(volume));
  const about = await ntfs.attributes(RECORD.volume);
  const nameAttribute = about.find(({ type }) => type === ATTRIBUTE.volumeName);
  const { uuid, clusterCount, clusterBytes } = ntfs.geometry;
  const found = {
    name: 'ntfs',
    uuid,
    sectorCount: (clusterCount * clusterBytes) / SECTOR_BYTES,
    label: nameAttribute?.isResident ? diskText(nameAttribute.value, 'utf16le') : null,
  };
  const isHibernating = await isHibernated(ntfs, RECORD.root);
  const isDirty = isMarkedDirty(about) || !(await isLogClean(ntfs, await ntfs.file(RECORD.log)));
  if (isDirty) {
    const what = isHibernating ? 'belongs to a hibernated Windows' : 'was not unmounted cleanly';
    return {
      ...found,
      state: isHibernating ? 'hibernated' : 'dirty',
      savedAs: 'raw',
      free: null,
      notes: [`${what}, so its free space is not certain: saved raw; shut Windows down fully (shutdown /s /f /t 0) for a smaller image`],
    };
  }
  const free = collect();
  await addFree(ntfs, volume, (from, to) => free.add(from, to));
  const notes = isHibernating
    ? ['belongs to a hibernated Windows, which goes on from its memory of this very disk; shut it down fully before saving']
    : [];
  return { ...found, state: isHibernating ? 'hibernated' : 'clean', savedAs: 'allocated', free, notes };
}

async function addFree(ntfs: NtfsVolume, volume: Volume, add: (from: number, to: number) => void): Promise<void> {
  const { clusterBytes, clusterCount, mftCluster } = ntfs.geometry;
  const bitmap = await ntfs.file(RECORD.bitmap);
  const bitmapBytes = Math.ceil(clusterCount / 8);
  if (bitmap.sizeBytes < bitmapBytes) throw new Inconsistent('its $Bitmap is too short');
  const own = Float64Array.from([0, mftCluster, ...bitmap.runs.map(({ firstCluster }) => firstCluster)]).sort();
  let ownAt = 0;
  const clusterSectors = clusterBytes / SECTOR_BYTES;
  for (let at = 0; at < bitmapBytes; at += PIECE_BYTES) {
    const bytes = await ntfs.readFile(bitmap, at, Math.min(PIECE_BYTES, bitmapBytes - at));
    clearBits(bytes, Math.min(bytes.byteLength * 8, clusterCount - at * 8), (first, end) => {
      while ((own[ownAt] ?? Infinity) < at * 8 + first) ownAt++;
      if ((own[ownAt] ?? Infinity) < at * 8 + end) throw new Inconsistent('its own tables are in free space');
      add((at * 8 + first) * clusterSectors, (at * 8 + end) * clusterSectors);
    });
  }
  if (clusterCount * clusterBytes > volume.sizeBytes) throw new Inconsistent('it is larger than its place');
}

function isMarkedDirty(about: Attribute[]): boolean {
  const information = about.find(({ type }) => type === ATTRIBUTE.volumeInformation);
  if (!information?.isResident || information.value.byteLength < 12) throw new Inconsistent('it does not tell its version');
  return (information.value.readUInt16LE(10) & DIRTY) !== 0;
}

async function readBoot(volume: Volume): Promise<Geometry> {
  const bytes = await volume.read(0, SECTOR_BYTES);
  const sectorBytes = bytes.readUInt16LE(11);
  const byte = bytes.readUInt8(13);
  const clusterBytes = sectorBytes * (byte > 0x80 ? 2 ** (256 - byte) : byte);
  const sectorTotal = u64(bytes, 0x28);
  const perRecord = bytes.readInt8(0x40);
  const recordBytes = perRecord > 0 ? perRecord * clusterBytes : 2 ** -perRecord;
  const clusterCount = Math.floor((sectorTotal * sectorBytes) / clusterBytes);
  const mftCluster = u64(bytes, 0x30);
  const isSound =
    bytes.readUInt16LE(510) === 0xaa55 &&
    isPowerOfTwo(sectorBytes) &&
    sectorBytes >= 256 &&
    sectorBytes <= 4096 &&
    isPowerOfTwo(clusterBytes) &&
    clusterBytes >= 512 &&
    clusterBytes <= MAX_CLUSTER_BYTES &&
    isPowerOfTwo(recordBytes) &&
    recordBytes >= 512 &&
    recordBytes <= 65_536 &&
    clusterCount >= 1 &&
    clusterCount * clusterBytes <= volume.sizeBytes &&
    mftCluster < clusterCount;
  if (!isSound) throw new Inconsistent('the sizes in its boot sector contradict each other, or its place');
  return {
    clusterBytes,
    clusterCount,
    recordBytes,
    mftCluster,
    uuid: Buffer.from(bytes.subarray(0x48, 0x50)).reverse().toString('hex').toUpperCase(),
  };
}
