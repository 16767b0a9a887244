import type { SectorRange } from '../sector.js';

/** How a file system was left: `dirty` was not unmounted or has errors, `mounted` is in use on this machine now, `hibernated` belongs to a sleeping system. */
export type FileSystemState = 'clean' | 'dirty' | 'mounted' | 'hibernated' | 'unknown';

/** `allocated`: free space left out; `header-only`: only what identifies it (swap); `skipped`: left out on request; else `raw`, every sector. */
export type SavedAs = 'allocated' | 'raw' | 'header-only' | 'skipped';

/** One partition, or the whole disk when it holds a bare file system (`number` 0). */
export type PartitionInfo = {
  /** As the kernel counts them: primaries 1 to 4, logicals from 5; GPT entries from 1; 0 for a disk without a table. */
  number: number;
  /** `0x83`, or a GPT type GUID in lower case; empty without a table. */
  type: string;
  /** A word for the type (`Linux`, `EFI system`), or null when we know none. */
  typeName: string | null;
  startSector: number;
  sectorCount: number;
  /** `ext4`, `fat32`, `ntfs`, `swap`, `xfs`…; null when nothing was recognised. */
  fileSystem: string | null;
  label: string | null;
  uuid: string | null;
  /** Bytes of this partition that are saved because they are in use (short free runs not counted); all of it when saved raw. */
  usedBytes: number;
  totalBytes: number;
  state: FileSystemState;
  savedAs: SavedAs;
};

export type PlanOptions = {
  /** Save only this partition, sectors counted from its start (a slice image). */
  slice?: number;
  /** Save everything without looking into it (true), or these partitions. */
  raw?: boolean | readonly number[];
  /** Leave these partitions out altogether. */
  skip?: readonly number[];
  /** The source is a bare file system (of this family): no partition table is looked for. */
  bare?: 'ext' | 'ntfs' | 'any';
  /** Free runs shorter than this are saved with the rest; 64 as imagezip. 0 leaves out every free sector. */
  minSkipSectors?: number;
  signal?: AbortSignal;
};

export type Plan = {
  /** Ascending, not touching, inside the disk (or inside the slice, counted from its start). */
  ranges: SectorRange[];
  /** Sectors of the disk, or of the slice. */
  diskSectors: number;
  /** Where what `ranges` counts from lies on the source: 0, or the slice's first sector. */
  baseSector: number;
  /** `gpt`, `mbr`, or none. */
  table: 'gpt' | 'mbr' | null;
  /** What the table counts in, 512 or 4096 bytes; null when that does not show (an MBR is the same for both). */
  tableSectorBytes: number | null;
  partitions: PartitionInfo[];
  /** Numbers of an MBR's four entries that are not in use. */
  unused: number[];
  /** Sentences for people: what is not as it should be, or not understood and therefore saved raw. */
  notes: string[];
};
