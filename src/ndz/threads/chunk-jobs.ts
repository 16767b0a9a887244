import type { DigestGroup, DigestName } from '../../disk/digest.js';
import type { DiskPlace } from '../../disk/disk-access.js';
import type { PlacementStats } from '../../disk/placement.js';
import type { ChunkVersion, Region } from '../codec/format.js';

/** The image that chunks are read from, by an open file that all threads share. */
export type JobImage = { fd: number; name: string; uuid: string | null; version: ChunkVersion };

/** Where chunks are applied to, or compared with; sector 0 of the image is at its offset 0. */
export type JobTarget = DiskPlace & {
  /** All of it reads as zeros, so zeros need not be written. */
  isBlank: boolean;
};

/** What every job of a pool works on, as it is handed to its threads. */
export type ChunkJobData = { image: JobImage | null; target: JobTarget | null };

export type ChunkJob =
  /** Inflates a chunk and checks it against its header. */
  | { kind: 'check'; position: number }
  /** Writes a chunk's regions. `bytes`, in shared memory, when the image comes through a pipe. */
  | { kind: 'apply'; position: number; bytes: Uint8Array | null; zeroFill: boolean }
  /** Compares a chunk's regions (all, or those of these numbers) with what the disk holds. */
  | { kind: 'compare'; position: number; regions: readonly number[] | null }
  /** Makes one digest of each group of ranges, as the disk must hold them. */
  | { kind: 'digest'; position: number; groups: readonly DigestGroup[]; digest: DigestName };

/** What one chunk came to. */
export type ChunkJobResult = PlacementStats & {
  effectiveBytes: number;
  actualBytes: number;
  inflatedBytes: number;
  /** Bytes compared, and the first that differs: its place on the imaged disk and the region it is in. */
  comparedBytes: number;
  difference: { offset: number; region: Region } | null;
  /** Those that were asked for, in their order. */
  digests: string[];
};
