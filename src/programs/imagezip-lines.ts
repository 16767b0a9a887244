import type { PartitionInfo, Plan, PlanOptions } from '../disk/plan/plan-types.js';

/** What imagezip says of a disk before it saves it: the 2015 program's lines by partition, and our notes under its name. */
export function planLines(plan: Plan, options: PlanOptions, isDetailed: boolean): string[] {
  const lines = plan.notes.map((note) => `imagezip: ${note}`);
  if (isDetailed) lines.push(...plan.partitions.map(detailLine));
  if (options.slice === undefined && plan.table !== null) {
    const byNumber = [
      ...plan.partitions.map((info) => ({ number: info.number, line: partitionLine(info, options) })),
      ...plan.unused.map((number) => ({ number, line: `P${number}: unused, NOT SAVING.` })),
    ];
    for (const { line } of byNumber.sort((a, b) => a.number - b.number)) if (line !== null) lines.push(line);
    const ends = plan.partitions.map(({ startSector, sectorCount }) => startSector + sectorCount);
    const end = ends.reduce((a, b) => Math.max(a, b), 0);
    if (end !== plan.diskSectors)
      lines.push(`partitioner value (${plan.diskSectors}) different than computed value (${end}); using the former`);
  }
  if (isDetailed) {
    const saved = plan.ranges.reduce((sum, { startSector, endSector }) => sum + endSector - startSector, 0);
    lines.push(`Total Number of Valid Sectors: ${saved} (bytes ${saved * 512}) in ${plan.ranges.length} ranges`);
  }
  return lines;
}

function partitionLine({ number, type, savedAs, fileSystem }: PartitionInfo, { raw }: PlanOptions): string | null {
  if (savedAs === 'skipped') return `P${number}: forcing skip, NOT SAVING.`;
  if (savedAs !== 'raw') return null;
  const isAsked = typeof raw === 'object' && raw.includes(number);
  return isAsked || fileSystem !== null
    ? `P${number}: forcing raw compression.`
    : `P${number}: Type ${type} not supported, forcing raw compression.`;
}

function detailLine({
  number,
  typeName,
  type,
  startSector,
  sectorCount,
  fileSystem,
  label,
  usedBytes,
  totalBytes,
  state,
  savedAs,
}: PartitionInfo): string {
  const mebibytes = (bytes: number): string => (bytes / 1_048_576).toFixed(1);
  const what = [typeName ?? type, fileSystem ?? 'unknown', label === null ? '' : `'${label}'`].filter((word) => word !== '').join(', ');
  return `  P${number}: ${what}: start ${startSector}, size ${sectorCount}; ${mebibytes(usedBytes)} of ${mebibytes(totalBytes)} MiB in use, ${state}, saved ${savedAs}`;
}
