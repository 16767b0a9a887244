import { availableParallelism } from 'node:os';
import { untilAborted } from '../../util/abort.js';
import { workerPath } from '../../util/dist.js';
import { planRanges } from '../../disk/plan/plan.js';
import type { PartitionInfo } from '../../disk/plan/plan-types.js';
import type { DiffCounts, DiffData, DiffJob, DiffResult, DiffRun } from './diff-span.js';
import { SECTOR_BYTES } from '../../disk/sector.js';
import { openImageSource, openIndexed, type OpenImage } from '../read/image-source.js';
import type { ImageInfo } from '../read/inspect.js';
import { WorkerPool } from '../threads/worker-pool.js';

export type { DiffCounts, DiffKind, DiffRun } from './diff-span.js';

/** A part of the disk in which the images differ. Counts are in bytes. */
export type DiffPart = {
  /** null: outside of all partitions (boot area, partition table, gaps). */
  partition: PartitionInfo | null;
  startSector: number;
  endSector: number;
  bytes: DiffCounts;
};

export type ImageDiff = {
  a: ImageInfo;
  b: ImageInfo;
  /** Neither content, nor what is left out, nor the disks' sizes differ. */
  same: boolean;
  bytes: DiffCounts;
  /** Parts with differences, in disk order, by the partitions of A (of B when A has none). */
  parts: DiffPart[];
  /** The first runs of sectors that differ, in disk order. */
  runs: DiffRun[];
  /** How many runs there are. */
  runCount: number;
};

export type DiffOptions = {
  maxRuns?: number;
  workers?: number;
  signal?: AbortSignal;
  onProgress?: (doneSectors: number, totalSectors: number) => void;
};

/** Chunks of the larger image that make one job. */
const SPAN_CHUNKS = 8;

/**
 * Compares what two images hold, sector by sector, in worker threads; how they were compressed does not matter.
 * Throws as `inspectImage`, `openChunk` and `inflatePieces` do, Failure `worker-crashed`, or the signal's reason.
 */
export async function diffImages(pathA: string, pathB: string, options: DiffOptions = {}): Promise<ImageDiff> {
  const { maxRuns = 1000, workers = availableParallelism(), signal } = options;
  const parts = await partsOf(pathA, pathB, signal);
  const a = await openIndexed(pathA, signal);
  try {
    const b = await openIndexed(pathB, signal);
    try {
      const data: DiffData = {
        a: { fd: a.fd, name: pathA, index: a.index },
        b: { fd: b.fd, name: pathB, index: b.index },
        borders: parts.map(({ startSector }) => startSector),
        maxRuns,
      };
      const total = new DiffTotal(parts.length, maxRuns);
      await diffSpans(data, spansOf(a, b), workers, total, options);
      return summary(a.info, b.info, parts, total);
    } finally {
      await b.close();
    }
  } finally {
    await a.close();
  }
}

async function diffSpans(
  data: DiffData,
  spans: readonly DiffJob[],
  workers: number,
  into: DiffTotal,
  { signal, onProgress }: DiffOptions,
): Promise<void> {
  const pool = new WorkerPool<DiffJob, DiffResult>({ file: workerPath('diff'), size: workers, data, does: 'compare' });
  const total = spans.at(-1)?.to ?? 0;
  let done = 0;
  const jobs: (Promise<DiffResult> | undefined)[] = spans.map((span) => pool.run(span));
  for (const job of jobs) job?.catch(() => undefined); // thrown when its turn comes
  const all = async (): Promise<void> => {
    for (const [i, span] of spans.entries()) {
      const result = await jobs[i];
      jobs[i] = undefined; // a disk may have very many
      if (result) into.add(result);
      onProgress?.((done += span.to - span.from), total);
    }
  };
  try {
    await (signal ? untilAborted(signal, all()) : all());
  } finally {
    await pool.close();
  }
}

/** Spans of sectors that together are both disks. */
function spansOf(a: OpenImage, b: OpenImage): DiffJob[] {
  const larger = a.index.starts.length >= b.index.starts.length ? a.index : b.index;
  const end = Math.ceil(Math.max(a.info.diskBytes, b.info.diskBytes) / SECTOR_BYTES);
  const borders = [...larger.starts].filter((start, position) => position % SPAN_CHUNKS === 0 && position > 0 && start > 0 && start < end);
  return [0, ...borders].map((from, i) => ({ from, to: borders[i] ?? end })).filter(({ from, to }) => to > from);
}

type Part = Omit<DiffPart, 'bytes'>;

/** The disk cut at its partitions. */
async function partsOf(pathA: string, pathB: string, signal: AbortSignal | undefined): Promise<Part[]> {
  let partitions: PartitionInfo[] = [];
  for (const path of [pathA, pathB]) if (partitions.length === 0) partitions = await partitionsOf(path, signal);
  const parts: Part[] = [];
  let at = 0;
  for (const partition of partitions.toSorted((x, y) => x.startSector - y.startSector)) {
    const { startSector, sectorCount } = partition;
    if (startSector < at) continue; // overlapping partitions cannot be told apart
    if (startSector > at) parts.push({ partition: null, startSector: at, endSector: startSector });
    parts.push({ partition, startSector, endSector: startSector + sectorCount });
    at = startSector + sectorCount;
  }
  return [...parts, { partition: null, startSector: at, endSector: Infinity }];
}

async function partitionsOf(path: string, signal: AbortSignal | undefined): Promise<PartitionInfo[]> {
  const { source } = await openImageSource(path, signal);
  try {
    return (await planRanges(source, signal ? { signal } : {})).partitions;
  } finally {
    await source.close();
  }
}

function summary(a: ImageInfo, b: ImageInfo, parts: readonly Part[], { counts, runs, runCount }: DiffTotal): ImageDiff {
  const isAny = (bytes: DiffCounts): boolean => bytes.changed + bytes['only-a'] + bytes['only-b'] > 0;
  const inBytes = (sectors: DiffCounts): DiffCounts => ({
    changed: sectors.changed * SECTOR_BYTES,
    'only-a': sectors['only-a'] * SECTOR_BYTES,
    'only-b': sectors['only-b'] * SECTOR_BYTES,
  });
  const bytes = inBytes(counts.reduce(plus, NOTHING));
  const counted = parts.map((part, i) => ({ ...part, bytes: inBytes(counts[i] ?? NOTHING) }));
  const end = Math.ceil(Math.max(a.diskBytes, b.diskBytes) / SECTOR_BYTES);
  return {
    a,
    b,
    bytes,
    runs,
    runCount,
    same: !isAny(bytes) && a.diskBytes === b.diskBytes,
    parts: counted.filter((part) => isAny(part.bytes)).map((part) => ({ ...part, endSector: Math.min(part.endSector, end) })),
  };
}

const NOTHING: DiffCounts = { changed: 0, 'only-a': 0, 'only-b': 0 };

function plus(a: DiffCounts, b: DiffCounts): DiffCounts {
  return { changed: a.changed + b.changed, 'only-a': a['only-a'] + b['only-a'], 'only-b': a['only-b'] + b['only-b'] };
}

/** The results of all spans, in order, put together; no more than the first runs are kept. */
class DiffTotal {
  /** Sectors, by part. */
  counts: DiffCounts[];
  runs: DiffRun[] = [];
  runCount = 0;
  readonly #maxRuns: number;
  #last: DiffRun | undefined;

  constructor(partCount: number, maxRuns: number) {
    this.counts = Array.from({ length: partCount }, () => NOTHING);
    this.#maxRuns = maxRuns;
  }

  add({ counts, runs, runCount, last }: DiffResult): void {
    this.counts = this.counts.map((sum, i) => plus(sum, counts[i] ?? NOTHING));
    this.runCount += runCount;
    for (const run of runs) {
      const before = this.#last;
      this.#last = run;
      // a run that was cut at a span's border
      if (before && before.kind === run.kind && before.startSector + before.sectorCount === run.startSector) {
        before.sectorCount += run.sectorCount;
        this.#last = before;
        this.runCount--;
      } else if (this.runs.length < this.#maxRuns) this.runs.push(run);
    }
    if (last && runCount > runs.length) this.#last = last;
  }
}
