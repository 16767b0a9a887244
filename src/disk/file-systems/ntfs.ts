import { SECTOR_BYTES } from '../sector.js';
import type { Candidate, Collect, FileSystem } from './file-system.js';
import { clearBits } from './free-runs.js';
import { ATTRIBUTE, readAttributes, restoreRecord, type Attribute, type ClusterRun } from './ntfs-record.js';
import { isHibernated, isLogClean } from './ntfs-state.js';
import { diskText, Inconsistent, isPowerOfTwo, u64, type Volume } from '../volume.js';

const PIECE_BYTES = 32 * 1024;
const RECORD = { mft: 0, log: 2, volume: 3, root: 5, bitmap: 6 } as const;
const DIRTY = 0x1;
const MAX_CLUSTER_BYTES = 2 * 1024 * 1024;

type Geometry = { clusterBytes: number; clusterCount: number; recordBytes: number; mftCluster: number; uuid: string };

/** A file of the volume: its clusters, and the bytes in them that count. */
export type NtfsFile = { sizeBytes: number; runs: ClusterRun[] };

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

/** Reads files by the number of their record in the master file table. */
export class NtfsVolume {
  readonly geometry: Geometry;
  readonly #volume: Volume;
  #mft: NtfsFile | undefined;

  constructor(volume: Volume, geometry: Geometry) {
    this.#volume = volume;
    this.geometry = geometry;
  }

  /** A record's attributes. Of a file whose attributes fill several records, those in the first. */
  async attributes(record: number): Promise<Attribute[]> {
    const { recordBytes, clusterBytes, mftCluster } = this.geometry;
    if (record !== RECORD.mft) this.#mft ??= await this.file(RECORD.mft);
    const bytes = this.#mft
      ? await this.readFile(this.#mft, record * recordBytes, recordBytes)
      : await this.#volume.read(mftCluster * clusterBytes, recordBytes);
    return readAttributes(restoreRecord(bytes, 'FILE'));
  }

  /** What a record's file holds. Throws Inconsistent when its runs are not all in that record (but the table's own: those in it). */
  async file(record: number): Promise<NtfsFile> {
    const attributes = await this.attributes(record);
    if (record !== RECORD.mft && attributes.some(({ type }) => type === ATTRIBUTE.list))
      throw new Inconsistent(`record ${record} goes on in others`);
    return this.nonResident(attributes, ATTRIBUTE.data, '');
  }

  /** Where an attribute's value lies. Throws Inconsistent when it has none, or it lies outside. */
  nonResident(attributes: Attribute[], type: number, name: string): NtfsFile {
    const found = attributes.find((attribute) => attribute.type === type && attribute.name === name);
    if (!found || found.isResident || found.firstVcn !== 0) throw new Inconsistent('one of its own files is not where it should be');
    for (const { firstCluster, count } of found.runs) {
      if (firstCluster + count > this.geometry.clusterCount) throw new Inconsistent('one of its own files lies outside it');
    }
    return { sizeBytes: found.sizeBytes, runs: found.runs };
  }

  /** `length` bytes of a file, over as many runs as it takes. */
  async readFile(file: NtfsFile, offset: number, length: number): Promise<Buffer> {
    const { clusterBytes } = this.geometry;
    const pieces: Buffer[] = [];
    let runStart = 0;
    for (const { firstCluster, count } of file.runs) {
      const runEnd = runStart + count * clusterBytes;
      if (length > 0 && offset < runEnd) {
        const pieceBytes = Math.min(length, runEnd - offset);
        pieces.push(await this.#volume.read(firstCluster * clusterBytes + offset - runStart, pieceBytes));
        offset += pieceBytes;
        length -= pieceBytes;
      }
      runStart = runEnd;
    }
    if (length > 0) throw new Inconsistent('one of its own files ends too early');
    return pieces.length === 1 && pieces[0] ? pieces[0] : Buffer.concat(pieces);
  }
}
