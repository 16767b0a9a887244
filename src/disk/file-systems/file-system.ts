import type { FileSystemState } from '../plan/plan-types.js';
import type { SectorRange } from '../sector.js';
import type { FreeRuns } from './free-runs.js';
import type { Volume } from '../volume.js';

/** What a reader found on a volume. */
export type FileSystem = {
  /** `ext4`, `fat32`, … */
  name: string;
  label: string | null;
  uuid: string | null;
  state: FileSystemState;
  savedAs: 'allocated' | 'header-only' | 'raw';
  /** Free space in the volume's sectors, unless it is saved raw. */
  free: FreeRuns | null;
  /** Sectors it fills; what follows in its partition is saved. */
  sectorCount: number;
  /** What people must know, without the partition's name: "was not unmounted cleanly; …". */
  notes: string[];
};

/** Makes the collector for a volume's free space; `kept` ranges are never free. */
export type Collect = (kept?: SectorRange[]) => FreeRuns;

/** A file system that seems to be there: its signature is. `read` throws Inconsistent when the rest does not fit. */
export type Candidate = {
  name: string;
  /** Its signature is in the first sector, which it wrote whole: with a partition table there, it is stale. */
  isInFirstSector?: boolean;
  read(volume: Volume, collect: Collect): Promise<FileSystem>;
};

/** Looks for one family's signature, cheaply. */
export type Probe = (volume: Volume) => Promise<Candidate | null>;
