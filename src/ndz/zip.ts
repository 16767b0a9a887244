import type { Writable } from 'node:stream';
import { planRanges } from '../disk/plan/plan.js';
import type { Plan, PlanOptions } from '../disk/plan/plan-types.js';
import { sliceSource } from '../disk/plan/slice-source.js';
import { SECTOR_BYTES } from './format.js';
import { openSource, type ImageSource } from '../disk/source.js';
import { writeImage, type WriteOptions, type WriteResult } from './writer.js';
import { fail as diskFail } from '../disk/failures.js';

export type ZipOptions = Omit<WriteOptions, 'ranges' | 'skipHoles'> & {
  /** What to leave out, or not to look into. */
  plan?: Omit<PlanOptions, 'signal'>;
  /** Called before the first byte is written. */
  onPlan?: (plan: ZipPlan) => void;
};

/** What will be saved; null when it comes through a pipe, of which all is saved. */
export type ZipPlan = {
  plan: Plan | null /** Bytes that will be read and compressed; null when only the end will tell. */;
  dataBytes: number | null;
};

/**
 * Makes an image of a disk, of one of its partitions, or of a file: what is in use, as its file systems say. A source that
 * can be read only once is saved whole. Throws as `writeImage` and `planRanges` do.
 */
export async function zipDisk(source: string | ImageSource, output: string | Writable, options: ZipOptions = {}): Promise<WriteResult> {
  const input = typeof source === 'string' ? await openSource(source) : source;
  const { plan: planOptions = {}, onPlan, ...writeOptions } = options;
  try {
    if (input.sizeBytes === null) {
      if (planOptions.slice !== undefined)
        throw diskFail(
          'source-not-seekable',
          `${input.name}: a pipe can only be saved whole, not one partition of it`,
          'give the path of the disk',
        );
      onPlan?.({ plan: null, dataBytes: null });
      return await writeImage(input, output, writeOptions);
    }
    const plan = await planRanges(input, { ...planOptions, ...(options.signal ? { signal: options.signal } : {}) });
    onPlan?.({ plan, dataBytes: plan.ranges.reduce((sum, { startSector, endSector }) => sum + endSector - startSector, 0) * SECTOR_BYTES });
    const part = planOptions.slice === undefined ? input : sliceSource(input, plan.baseSector, plan.diskSectors);
    return await writeImage(part, output, { ...writeOptions, ranges: plan.ranges });
  } finally {
    if (typeof source === 'string') await input.close();
  }
}
