import { fail as ndzFail } from '../../ndz/failures.js';
import { stat } from 'node:fs/promises';
import { checksumPath, hashFile, readChecksum, readProvenance, type Provenance } from '../../images/records.js';
import { readStamp } from '../../images/stamp.js';
import { judgeImage } from '../../images/whole.js';
import { formatBytes } from '../../monitor/format.js';
import { planRanges } from '../../disk/plan/plan.js';
import type { PartitionInfo, Plan } from '../../disk/plan/plan-types.js';
import { openImageSource } from '../../ndz/read/image-source.js';
import type { ImageInfo } from '../../ndz/read/inspect.js';
import { action, writeJson } from '../kit/actions.js';
import { messageOf } from '../../util/errors.js';
import { say } from '../../util/say.js';
import type { CommandContext } from '../kit/command.js';
import type { ArgumentsOf } from '../kit/option-spec.js';
import { exitCodes } from '../kit/exit.js';
import { ProgressBar } from '../kit/progress-bar.js';
import { imageSpec } from './image.spec.js';

const takes = ['json', 'quiet'] as const;
type InfoArguments = ArgumentsOf<typeof imageSpec, (typeof takes)[number]>;

/** Says what an image is and what is in it; nothing is written. */
export const info = action(imageSpec, { words: 'IMAGE', minWords: 1, maxWords: 1, options: takes, run });

type Sha256 = { expected: string | null; seen: string | null };

/** What `info --json` prints. `sha256` is null without a side file; `modified` in ISO 8601. */
export type InfoReport = ImageInfo &
  Pick<Plan, 'table' | 'tableSectorBytes' | 'partitions' | 'notes'> & {
    modified: string;
    sha256: (Sha256 & { ok: boolean }) | null;
    stamp: string | null;
    provenance: Provenance | null;
  };

async function run({ words, options }: InfoArguments, context: CommandContext): Promise<number> {
  const [path = ''] = words;
  const progress = new ProgressBar(context, 'sha256', options.quiet);
  const { source, info: image } = await openImageSource(path, context.signal);
  try {
    const plan = await planRanges(source, { signal: context.signal });
    const end = await endOf(image, context.signal);
    if (end.note !== null) plan.notes.unshift(end.note);
    const stamp = await readStamp(source, plan.partitions);
    const expected = await readChecksum(path);
    const seen =
      expected === null
        ? null
        : await hashFile(path, { signal: context.signal, onBytes: (bytes) => progress.update(bytes, image.sizeBytes) });
    const sha256: Sha256 = { expected, seen };
    let provenance: Provenance | null = null;
    try {
      provenance = await readProvenance(path);
    } catch (error) {
      plan.notes.push(messageOf(error)); // it may be somebody else's file
    }
    const modified = new Date((await stat(path)).mtimeMs).toISOString();
    progress.end();
    if (options.json) {
      const { table, tableSectorBytes, partitions, notes } = plan;
      writeJson(context, {
        ...image,
        modified,
        sha256: expected === null ? null : { expected, seen, ok: expected === seen },
        table,
        tableSectorBytes,
        partitions,
        notes,
        stamp,
        provenance,
      } satisfies InfoReport);
    } else {
      say(context.stdout, ...lines(image, plan, [...stampRows(stamp), ...provenanceRows(provenance, sha256)], sha256, modified));
    }
    return expected === seen && !end.isCut ? exitCodes.ok : exitCodes.someFailed;
  } finally {
    progress.end();
    await source.close();
  }
}

/** Whether its end is there, and what there is to say of it. */
async function endOf(image: ImageInfo, signal: AbortSignal): Promise<{ isCut: boolean; note: string | null }> {
  try {
    const { cut, note } = await judgeImage(image, signal);
    return { isCut: cut !== null, note: cut ?? note };
  } catch (error) {
    if (ndzFail.is(error, 'ndz-checksum')) return { isCut: true, note: null }; // its own row says so
    throw error;
  }
}

function lines(image: ImageInfo, plan: Plan, origin: [string, string][], { expected, seen }: Sha256, modified: string): string[] {
  const { path, version, uuid, chunkCount, sizeBytes, diskBytes, actualBytes, checksums } = image;
  const share = Math.round((100 * actualBytes) / Math.max(1, diskBytes));
  const rows: [string, string][] = [
    [
      'format',
      `.ndz version ${version}, ${chunkCount} chunk${chunkCount === 1 ? '' : 's'}, ${checksums ? 'each with its SHA-1' : 'without checksums'}`,
    ],
    ...(uuid === null ? [] : [['uuid', uuid] satisfies [string, string]]),
    [
      'size',
      `${formatBytes(sizeBytes)} (${(actualBytes / sizeBytes).toFixed(1)} times smaller than what is in it), modified ${modified.slice(0, 16).replace('T', ' ')}`,
    ],
    ['disk', `${formatBytes(diskBytes)}, of these ${formatBytes(actualBytes)} saved (${share} %)`],
    ['table', tableText(plan)],
    ...plan.partitions.map((partition): [string, string] => [
      partition.number === 0 ? 'holds' : `partition ${partition.number}`,
      partitionText(partition),
    ]),
    ...origin,
    [
      'sha256',
      expected === null
        ? `no ${checksumPath(path)}`
        : seen === expected
          ? `${expected}, as its side file says`
          : `${seen}, BUT ${checksumPath(path)} SAYS ${expected}`,
    ],
    ...plan.notes.map((note): [string, string] => ['note', note]),
  ];
  const width = Math.max(...rows.map(([name]) => name.length));
  return [path, ...rows.map(([name, value]) => `  ${name.padEnd(width)}  ${value}`)];
}

/** Firmware and kernels find a table only on disks with the sectors that it counts in. */
function tableText({ table, tableSectorBytes }: Plan): string {
  return `${table ?? 'no partition table'}${tableSectorBytes === 4096 ? ', for disks with sectors of 4096 bytes only' : ''}`;
}

function stampRows(stamp: string | null): [string, string][] {
  return stamp === null ? [] : [['stamp', stamp]];
}

/** What the side file says; when the image is another one by now, only that. */
function provenanceRows(provenance: Provenance | null, { seen, expected }: Sha256): [string, string][] {
  if (provenance === null) return [];
  if (seen !== null && seen === expected && seen !== provenance.sha256) return [['saved', 'its .json is of another image']];
  const { savedAt, node, by, gateway, verified, base, comment, disk, notStamped } = provenance;
  return [
    [
      'saved',
      `${savedAt.slice(0, 16).replace('T', ' ')} UTC from ${node} by ${by} on ${gateway}, ${verified ? 'read back and found whole' : 'not read back'}`,
    ],
    ...(disk === null ? [] : [['DISK', `${disk} when it was saved: our records had that against it`] satisfies [string, string]]),
    ...(notStamped === null ? [] : [['stamp', `none was written: ${notStamped}`] satisfies [string, string]]),
    ...(comment === null ? [] : [['comment', comment] satisfies [string, string]]),
    ...(base === null ? [] : [['base', base] satisfies [string, string]]),
  ];
}

/** `Linux, ext4 'root': 812.3 MB of 2.0 GB in use, clean`. */
export function partitionText({ typeName, type, fileSystem, label, usedBytes, totalBytes, state, savedAs }: PartitionInfo): string {
  const kind = [typeName ?? type, fileSystem === null ? 'no known file system' : label === null ? fileSystem : `${fileSystem} '${label}'`]
    .filter((word) => word !== '')
    .join(', ');
  const used =
    savedAs === 'raw' ? `${formatBytes(totalBytes)}, saved raw` : `${formatBytes(usedBytes)} of ${formatBytes(totalBytes)} in use`;
  return `${kind}: ${used}${state === 'unknown' ? '' : `, ${state}`}`;
}
