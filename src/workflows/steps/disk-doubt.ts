import { doubtOf, readProvenance, type DiskMark } from '../../images/records.js';
import { localMinute } from '../../images/saved.js';
import type { ImageRecord, ImageRecords } from '../../runs/images.js';
import type { Failure } from '../../util/errors.js';
import { fail } from '../failures.js';

/** What our own records have against a node's disk: the mark that an image of it bears, and the sentence that says why. */
export type DiskDoubt = { mark: string; why: string };

/** Null: nothing is known against it. */
export async function doubtOfDisk(node: string, images: Pick<ImageRecords, 'last'>): Promise<DiskDoubt | null> {
  const record = await images.last(node);
  if (record === null) return null;
  if (record.state === 'writing')
    return {
      mark: 'half-written' satisfies DiskMark,
      why: `its disk is half-written: a load of ${loadOf(record)} began ${minute(record.at)} and did not end well`,
    };
  if (record.verify === 'none')
    return {
      mark: 'unverified' satisfies DiskMark,
      why: `nobody knows whether its disk is good: of ${loadOf(record)}, loaded ${minute(record.at)}, nothing was read back`,
    };
  return inherited(record);
}

export function refusal(node: string, { mark, why }: DiskDoubt): Failure {
  const code = mark === 'unverified' ? 'disk-unverified' : 'disk-half-written';
  return fail(code, `${node}: ${why}`, `load it again; or save it as it is with --force: the image will bear the mark '${mark}' for ever`);
}

/** An image that bears a mark hands it on to the disks it is loaded onto. */
async function inherited(record: ImageRecord): Promise<DiskDoubt | null> {
  const provenance = await readProvenance(record.path).catch(() => null); // what cannot be read says nothing
  if (provenance === null || provenance.disk === null) return null;
  if (record.digest !== null && record.digest !== `sha256:${provenance.sha256}`) return null;
  return {
    mark: provenance.disk,
    why: `it was loaded with ${record.name}, ${doubtOf(provenance, provenance.sizeBytes) ?? provenance.disk}`,
  };
}

function loadOf({ name, run, by }: ImageRecord): string {
  return `${name} (run ${run}, by ${by})`;
}

/** `2026-11-26 09:15`, local time. */
function minute(atMs: number): string {
  return localMinute(atMs).replace('@', ' ');
}
