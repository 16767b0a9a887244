import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { Failure } from '../util/errors.js';
import { gptTypeWrites, type TableWrite } from './tables/gpt.js';
import { readDiskUse } from './in-use.js';
import { readPartitionTable } from './tables/partition-table.js';
import { gptTypeOfCode } from './tables/partition-types.js';
import { contradiction, Volume } from './volume.js';
import { SECTOR_BYTES } from './sector.js';
import { openSource, type ImageSource } from './source.js';
import { writeAll } from './target.js';
import { fail } from './failures.js';

/** MBR types that would make another thing of a partition than one that holds data. */
const NO_DATA = new Set([0x00, 0x05, 0x0f, 0x85, 0xee]);

/**
 * What must be written for partition `slice` of a disk to get another type: an MBR type, or on a disk with a GPT the short
 * code of one (`0x8300`). Each list brings one copy of the table from one whole state to another.
 * Throws Failure `partition-type-unknown`, `slice-missing` or `source-read-failed`.
 */
export async function planTypeChange(path: string, slice: number, type: number): Promise<TableWrite[][]> {
  const source = await openSource(path);
  try {
    return await planOn(source, slice, type);
  } finally {
    await source.close();
  }
}

async function planOn(source: ImageSource, slice: number, type: number): Promise<TableWrite[][]> {
  const disk = new Volume(source, 0, Math.floor((source.sizeBytes ?? 0) / SECTOR_BYTES));
  const { sectorBytes } = await readDiskUse(source.name);
  try {
    const table = await readPartitionTable(disk, sectorBytes);
    const entry = table?.partitions.find(({ number }) => number === slice);
    if (!table || !entry) throw fail('slice-missing', `${source.name} has no partition ${slice}`);
    if (table.kind === 'gpt') {
      const guid = gptTypeOfCode(type);
      if (guid === null)
        throw unknownType(
          type,
          'is no short code of a GPT type that is known here',
          'such as 0x8300 (Linux), 0x8200 (swap) or 0xef00 (EFI system)',
        );
      return await gptTypeWrites(disk, sectorBytes, slice, guid);
    }
    if (type > 0xff || NO_DATA.has(type))
      throw unknownType(type, 'is no type of an MBR partition that holds data', 'such as 0x83 (Linux) or 0x82 (swap)');
    return [[{ offset: entry.typeOffset ?? 0, bytes: Buffer.of(type) }]];
  } catch (error) {
    if (error instanceof Failure) throw error;
    throw fail('slice-missing', `${source.name} has no partition ${slice}: ${contradiction(error)}`);
  }
}

/** Gives partition `slice` another type; returns the line of the 2015 programs. Throws as `planTypeChange`, and Failure `disk-write-failed`. */
export async function applyTypeChange(path: string, slice: number, type: number): Promise<string> {
  const copies = await planTypeChange(path, slice, type);
  const handle = await open(path, constants.O_RDWR);
  try {
    for (const writes of copies) {
      for (const { offset, bytes } of writes) {
        await writeAll({ fd: handle.fd, path }, offset, bytes);
      }
      await handle.sync(); // one copy is whole at any time
    }
  } finally {
    await handle.close();
  }
  return `Set partition ${slice} type to 0x${type.toString(16).toUpperCase().padStart(4, '0')}`;
}

function unknownType(type: number, why: string, hint: string): Failure {
  return fail('partition-type-unknown', `partition type 0x${type.toString(16)} ${why}`, hint);
}
