import { MIN_SKIP_SECTORS, SECTOR_BYTES, type SectorRange } from '../sector.js';
import { readFileSystem } from '../file-systems/detect.js';
import type { FileSystem } from '../file-systems/file-system.js';
import { FreeRuns } from '../file-systems/free-runs.js';
import { useOf, type DiskUse } from '../in-use.js';
import type { PartitionEntry } from '../tables/table.js';
import type { PartitionInfo, PlanOptions } from './plan-types.js';
import type { Volume } from '../volume.js';

/** Less than this behind a file system is nothing to speak of. */
const SLACK_SECTORS = (64 * 1024 * 1024) / SECTOR_BYTES;

/** What was found on a partition. `free` is in the disk's sectors; `notes` are whole sentences; `isUnknown`: nothing is recognised. */
export type PartitionPlan = { info: PartitionInfo; free: SectorRange[]; notes: string[]; isUnknown?: boolean };

/** Reads one partition, or (number 0) the disk as a whole. */
export async function readPartition(disk: Volume, entry: PartitionEntry, use: DiskUse, options: PlanOptions): Promise<PartitionPlan> {
  const { number, type, typeName, startSector, sectorCount } = entry;
  const volume = disk.part(startSector, Math.min(sectorCount, disk.sectorCount - startSector));
  const who = number === 0 ? 'the disk' : `partition ${number}`;
  const base = {
    number,
    type,
    typeName,
    startSector,
    sectorCount,
    fileSystem: null,
    label: null,
    uuid: null,
    state: 'unknown',
    totalBytes: sectorCount * SECTOR_BYTES,
  } as const;
  const notes = sectorCount > volume.sectorCount ? [`${who} ends ${sectorCount - volume.sectorCount} sectors behind the disk's end`] : [];
  if (options.skip?.includes(number)) {
    const whole = { startSector, endSector: startSector + volume.sectorCount };
    return { info: { ...base, usedBytes: 0, savedAs: 'skipped' }, free: [whole], notes: [...notes, `${who} is left out, as asked`] };
  }
  const used = useOf(use, startSector, startSector + volume.sectorCount);
  const state = used === null ? 'unknown' : 'mounted';
  if (used !== null) notes.push(`${who} ${used} while it is saved: files that change meanwhile will be broken in the image`);
  if (options.raw === true || (typeof options.raw === 'object' && options.raw.includes(number))) {
    return { info: { ...base, state, usedBytes: volume.sizeBytes, savedAs: 'raw' }, free: [], notes };
  }
  const minSectors = options.minSkipSectors ?? MIN_SKIP_SECTORS;
  const found = await readFileSystem(volume, (kept) => new FreeRuns(volume.sectorCount, minSectors, kept));
  if (!found) {
    const kind = typeName ?? (type === '' ? null : `type ${type}`);
    return {
      info: { ...base, state, usedBytes: volume.sizeBytes, savedAs: 'raw' },
      free: [],
      notes: [...notes, `${who}${kind ? ` (${kind})` : ''} holds nothing that is known here: saved raw`],
      isUnknown: true,
    };
  }
  return planOf(base, who, volume, found, used !== null, notes);
}

type Base = Pick<PartitionInfo, 'number' | 'type' | 'typeName' | 'startSector' | 'sectorCount' | 'totalBytes'>;

function planOf(base: Base, who: string, volume: Volume, found: FileSystem, isInUse: boolean, notes: string[]): PartitionPlan {
  const free = found.free?.finish() ?? [];
  const info: PartitionInfo = {
    ...base,
    fileSystem: found.name === 'ambiguous' ? null : found.name,
    label: found.label,
    uuid: found.uuid,
    usedBytes: volume.sizeBytes - (found.free?.freeSectors ?? 0) * SECTOR_BYTES,
    state: isInUse ? 'mounted' : found.state,
    savedAs: found.savedAs,
  };
  notes.push(...found.notes.map((note) => (/^(is|has|was|looks|belongs|holds) /.test(note) ? `${who} ${note}` : `${who}: ${note}`)));
  const slackSectors = volume.sectorCount - found.sectorCount;
  if (slackSectors >= SLACK_SECTORS)
    notes.push(`${who} is larger than its file system; the ${Math.round(slackSectors / 2048)} MiB behind that are saved`);
  return {
    info,
    free: free.map(({ startSector, endSector }) => ({
      startSector: base.startSector + startSector,
      endSector: base.startSector + endSector,
    })),
    notes,
  };
}
