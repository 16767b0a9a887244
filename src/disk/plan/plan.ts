import { Failure } from '../../util/errors.js';
import { MIN_SKIP_SECTORS, SECTOR_BYTES, type SectorRange } from '../sector.js';
import { wholeDisk } from '../sector-reader.js';
import type { ImageSource } from '../source.js';
import { fileSystemsBesideTable } from '../file-systems/detect.js';
import { mergeRanges } from '../file-systems/free-runs.js';
import { readDiskUse, type DiskUse } from '../in-use.js';
import { readPartition, type PartitionPlan } from './partition.js';
import type { PartitionEntry, PartitionTable } from '../tables/table.js';
import { readPartitionTable } from '../tables/partition-table.js';
import type { Plan, PlanOptions } from './plan-types.js';
import { readTail } from './tail.js';
import { contradiction, Inconsistent, Volume } from '../volume.js';
import { fail } from '../failures.js';

const FAMILY = {
  any: { title: 'known', names: /^/ },
  ext: { title: 'ext2, ext3 or ext4', names: /^ext/ },
  ntfs: { title: 'NTFS', names: /^ntfs$/ },
};

/**
 * What of a disk must be saved: its partition table and file systems are read, free space is left out. Whatever is not
 * understood or contradicts itself is saved whole, with a note. The boot area before the first partition, and what lies
 * between partitions, is saved; what lies behind the last one is not, but for the table's copy, and the disk's last MiB when
 * a firmware RAID or its like has something there.
 * Needs a source that can be read at any offset.
 * Throws Failure `source-read-failed`, `slice-missing`, `file-system-missing` (`bare` names one that is not there),
 * `source-not-seekable`, or the signal's reason.
 */
export async function planRanges(source: ImageSource, options: PlanOptions = {}): Promise<Plan> {
  options.signal?.throwIfAborted();
  if (source.sizeBytes === null) throw fail('source-not-seekable', `${source.name}: a pipe can only be saved whole`, 'save it raw');
  const disk = new Volume(source, 0, Math.floor(source.sizeBytes / SECTOR_BYTES), options.signal);
  if (options.raw === true && options.slice === undefined) return wholePlan(source, []);
  const use = await readDiskUse(source.name);
  if (options.bare !== undefined) return planBare(source, disk, use, options, null);
  let table: PartitionTable | null;
  try {
    table = await readTable(disk, use.sectorBytes);
  } catch (error) {
    const what = contradiction(error);
    if (options.slice !== undefined) throw sliceMissing(source, options.slice, what);
    return wholePlan(source, [`the disk is saved raw: ${what}`]);
  }
  if (options.slice !== undefined) return planSlice(source, disk, table, use, options.slice, options);
  return table ? planTable(source, disk, table, use, options) : planBare(source, disk, use, options, 'the disk has no partition table');
}

/** The table, unless a file system without one seems to fill the disk as well. */
async function readTable(disk: Volume, sectorBytes: number): Promise<PartitionTable | null> {
  const table = await readPartitionTable(disk, sectorBytes);
  const others = table ? await fileSystemsBesideTable(disk) : [];
  if (others.length > 0) throw new Inconsistent(`it has a partition table, and looks like one ${others.join(' and ')} as well`);
  return table;
}

function wholePlan(source: ImageSource, notes: string[]): Plan {
  return {
    ranges: wholeDisk(source),
    diskSectors: diskSectors(source),
    baseSector: 0,
    table: null,
    tableSectorBytes: null,
    partitions: [],
    unused: [],
    notes,
  };
}

/** The disk is one file system, or nothing that is known. */
async function planBare(source: ImageSource, disk: Volume, use: DiskUse, options: PlanOptions, missing: string | null): Promise<Plan> {
  const whole: PartitionEntry = { number: 0, type: '', typeName: null, startSector: 0, sectorCount: disk.sectorCount };
  const { info, free, notes, isUnknown } = await readPartition(disk, whole, use, options);
  const wanted = FAMILY[options.bare ?? 'any'];
  if (!wanted.names.test(info.fileSystem ?? '')) {
    throw fail('file-system-missing', `${source.name} holds no ${wanted.title} file system`, 'is it the partition, not the disk?');
  }
  if (isUnknown && missing !== null) notes.unshift(`${missing}, and is not one file system either`);
  const ranges = without(diskSectors(source), free, lastSector(source), options.minSkipSectors);
  return { ...wholePlan(source, notes), ranges, partitions: [info] };
}

async function planTable(source: ImageSource, disk: Volume, table: PartitionTable, use: DiskUse, options: PlanOptions): Promise<Plan> {
  const read: PartitionPlan[] = [];
  for (const entry of table.partitions) read.push(await readPartition(disk, entry, use, options));
  const tail = await readTail(disk, table.endSector, table.keep);
  const behind = { startSector: Math.min(table.endSector, disk.sectorCount), endSector: disk.sectorCount };
  const free = mergeRanges([...read.flatMap((partition) => partition.free), behind]);
  const ranges = without(diskSectors(source), free, [...table.keep, ...tail.keep, ...lastSector(source)], options.minSkipSectors);
  const partitions = read.map(({ info }) => info).sort((a, b) => a.number - b.number);
  const notes = [...table.notes, ...tail.notes, ...absent(table, options), ...read.flatMap((partition) => partition.notes)];
  return {
    ranges,
    diskSectors: diskSectors(source),
    baseSector: 0,
    table: table.kind,
    tableSectorBytes: table.sectorBytes,
    partitions,
    unused: table.unused,
    notes,
  };
}

async function planSlice(
  source: ImageSource,
  disk: Volume,
  table: PartitionTable | null,
  use: DiskUse,
  slice: number,
  options: PlanOptions,
): Promise<Plan> {
  const entry = table?.partitions.find(({ number }) => number === slice);
  if (!table || !entry)
    throw sliceMissing(source, slice, table ? `it has ${list(table.partitions.map(({ number }) => number))}` : 'it has no partition table');
  const sectorCount = Math.min(entry.sectorCount, disk.sectorCount - entry.startSector);
  const { info, free, notes } = await readPartition(disk, entry, use, options);
  const relative = free.map(({ startSector, endSector }) => ({
    startSector: startSector - entry.startSector,
    endSector: endSector - entry.startSector,
  }));
  const ranges = without(sectorCount, relative, [], options.minSkipSectors);
  return {
    ranges,
    diskSectors: sectorCount,
    baseSector: entry.startSector,
    table: table.kind,
    tableSectorBytes: table.sectorBytes,
    partitions: [info],
    unused: [],
    notes,
  };
}

function sliceMissing({ name }: ImageSource, slice: number, why: string): Failure {
  return fail('slice-missing', `${name} has no partition ${slice}: ${why}`, 'name one of its partitions, or save the whole disk');
}

function absent({ partitions }: PartitionTable, { raw, skip }: PlanOptions): string[] {
  const asked = [...(typeof raw === 'object' ? raw : []), ...(skip ?? [])];
  return asked
    .filter((number) => !partitions.some((partition) => partition.number === number))
    .map((number) => `there is no partition ${number}, which was named`);
}

function list(numbers: number[]): string {
  return numbers.length === 0 ? 'none' : `partitions ${numbers.sort((a, b) => a - b).join(', ')}`;
}

/** Sectors of a disk, the last one counted when it is not whole. */
function diskSectors(source: ImageSource): number {
  return Math.ceil((source.sizeBytes ?? 0) / SECTOR_BYTES);
}

/** The last sector, if only its region can tell the disk's exact size. */
function lastSector(source: ImageSource): SectorRange[] {
  const sectors = diskSectors(source);
  return (source.sizeBytes ?? 0) % SECTOR_BYTES === 0 ? [] : [{ startSector: sectors - 1, endSector: sectors }];
}

/** What is left of `sectorCount` sectors without the free ones; never nothing. Runs that are left shorter than `minSectors` are saved too. */
function without(
  sectorCount: number,
  free: readonly SectorRange[],
  keep: readonly SectorRange[],
  minSectors = MIN_SKIP_SECTORS,
): SectorRange[] {
  const used: SectorRange[] = keep.map(({ startSector, endSector }) => ({ startSector, endSector: Math.min(endSector, sectorCount) }));
  let at = 0;
  for (const { startSector, endSector } of free) {
    if (startSector === 0 && endSector >= sectorCount) continue;
    used.push({ startSector: at, endSector: startSector });
    at = endSector;
  }
  used.push({ startSector: at, endSector: sectorCount });
  const ranges: SectorRange[] = [];
  for (const range of mergeRanges(used)) {
    const last = ranges.at(-1);
    const end = last?.endSector ?? 0;
    if (range.startSector - end >= minSectors && range.startSector > end) ranges.push(range);
    else if (last) last.endSector = range.endSector;
    else ranges.push({ startSector: 0, endSector: range.endSector });
  }
  const last = ranges.at(-1);
  if (last && sectorCount - last.endSector < minSectors) last.endSector = sectorCount;
  return ranges;
}
