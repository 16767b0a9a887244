import { Inconsistent, type Volume } from '../volume.js';
import { ATTRIBUTE, readAttributes, restoreRecord, type Attribute, type ClusterRun } from './ntfs-record.js';

/** Numbers of the records of NTFS's own files. */
export const RECORD = { mft: 0, log: 2, volume: 3, root: 5, bitmap: 6 } as const;

/** What the boot sector tells. */
export type Geometry = { clusterBytes: number; clusterCount: number; recordBytes: number; mftCluster: number; uuid: string };

/** A file of the volume: its clusters, and the bytes in them that count. */
export type NtfsFile = { sizeBytes: number; runs: ClusterRun[] };

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
