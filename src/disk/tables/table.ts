import type { SectorRange } from '../sector.js';

/** A partition as its table tells; it may end outside the disk, but starts inside. */
export type PartitionEntry = {
  number: number;
  type: string;
  typeName: string | null;
  startSector: number;
  sectorCount: number;
  /** The byte of the disk that holds its type (MBR). */
  typeOffset?: number;
};

export type PartitionTable = {
  kind: 'gpt' | 'mbr';
  /** What it counts in, 512 or 4096 bytes; null when that does not show. */
  sectorBytes: number | null;
  /** By start; none overlap. */
  partitions: PartitionEntry[];
  /** Numbers of the primary entries that are not in use (MBR). */
  unused: number[];
  /** Behind it the table knows of nothing: what follows is left out, but for `keep`. */
  endSector: number;
  /** The table's own sectors, wherever they lie. */
  keep: SectorRange[];
  notes: string[];
};
