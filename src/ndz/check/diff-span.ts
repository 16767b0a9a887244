import { SECTOR_BYTES } from '../../disk/sector.js';
import { ImageReader, type ImageIndex, type Segment } from '../read/image-source.js';

/** `changed`: both images have the sectors, with different content; `only-a`, `only-b`: the other one leaves them out. */
export type DiffKind = 'changed' | 'only-a' | 'only-b';

/** Consecutive sectors of the imaged disks that differ in one way. */
export type DiffRun = { startSector: number; sectorCount: number; kind: DiffKind };

export type DiffCounts = Record<DiffKind, number>;

/** What every thread gets: both images, and the sectors where what is counted apart begins (ascending, from 0 on). */
export type DiffData = { a: DiffImage; b: DiffImage; borders: number[]; maxRuns: number };
export type DiffImage = { fd: number; name: string; index: ImageIndex };
export type DiffJob = { from: number; to: number };

/** Sectors by kind, for each part between two borders; the first `maxRuns` runs; how many there are; the last one. */
export type DiffResult = { counts: DiffCounts[]; runs: DiffRun[]; runCount: number; last: DiffRun | null };

/** Compares two images over a span of sectors. */
export class SpanDiffer {
  readonly #data: DiffData;
  readonly #a: ImageReader;
  readonly #b: ImageReader;

  constructor(data: DiffData) {
    this.#data = data;
    this.#a = new ImageReader(data.a.fd, data.a.name, data.a.index);
    this.#b = new ImageReader(data.b.fd, data.b.name, data.b.index);
  }

  async diff({ from, to }: DiffJob): Promise<DiffResult> {
    const found = new Findings(this.#data.borders, this.#data.maxRuns);
    const [as, bs] = [this.#a.segments(from, to), this.#b.segments(from, to)];
    let [a, b] = [await take(as), await take(bs)];
    while (a && b) {
      const sectorCount = Math.min(a.sectorCount, b.sectorCount);
      compare(a, b, sectorCount, found);
      a = a.sectorCount > sectorCount ? without(a, sectorCount) : await take(as);
      b = b.sectorCount > sectorCount ? without(b, sectorCount) : await take(bs);
    }
    return found.result();
  }
}

async function take(segments: AsyncGenerator<Segment>): Promise<Segment | null> {
  const next = await segments.next();
  return next.done ? null : next.value;
}

function without({ startSector, sectorCount, bytes }: Segment, count: number): Segment {
  return { startSector: startSector + count, sectorCount: sectorCount - count, bytes: bytes?.subarray(count * SECTOR_BYTES) ?? null };
}

function compare(a: Segment, b: Segment, sectorCount: number, found: Findings): void {
  const { startSector } = a;
  if (!a.bytes || !b.bytes) {
    if (a.bytes) found.add(startSector, sectorCount, 'only-a');
    else if (b.bytes) found.add(startSector, sectorCount, 'only-b');
    return;
  }
  if (isSame(a.bytes, b.bytes, 0, sectorCount)) return;
  for (let sector = 0; sector < sectorCount; sector++)
    if (!isSame(a.bytes, b.bytes, sector, 1)) found.add(startSector + sector, 1, 'changed');
}

function isSame(a: Uint8Array, b: Uint8Array, sector: number, sectorCount: number): boolean {
  const [from, to] = [sector * SECTOR_BYTES, (sector + sectorCount) * SECTOR_BYTES];
  return Buffer.compare(a.subarray(from, to), b.subarray(from, to)) === 0;
}

class Findings {
  readonly #borders: readonly number[];
  readonly #maxRuns: number;
  readonly #counts: DiffCounts[];
  readonly #runs: DiffRun[] = [];
  #runCount = 0;
  #last: DiffRun | undefined;

  constructor(borders: readonly number[], maxRuns: number) {
    this.#borders = borders;
    this.#maxRuns = maxRuns;
    this.#counts = borders.map(() => ({ changed: 0, 'only-a': 0, 'only-b': 0 }));
  }

  add(startSector: number, sectorCount: number, kind: DiffKind): void {
    this.#count(startSector, sectorCount, kind);
    const last = this.#last;
    if (last && last.kind === kind && last.startSector + last.sectorCount === startSector) {
      last.sectorCount += sectorCount;
      return;
    }
    this.#last = { startSector, sectorCount, kind };
    this.#runCount++;
    if (this.#runs.length < this.#maxRuns) this.#runs.push(this.#last);
  }

  result(): DiffResult {
    return { counts: this.#counts, runs: this.#runs, runCount: this.#runCount, last: this.#last ?? null };
  }

  #count(startSector: number, sectorCount: number, kind: DiffKind): void {
    this.#borders.forEach((border, part) => {
      const end = Math.min(this.#borders[part + 1] ?? Infinity, startSector + sectorCount);
      const count = this.#counts[part];
      if (count && end > Math.max(border, startSector)) count[kind] += end - Math.max(border, startSector);
    });
  }
}
