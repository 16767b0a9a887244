import type { SectorRange } from '../sector.js';
import { Inconsistent } from '../volume.js';

/** More runs than these are thinned out, so that a disk cannot make the list grow without bounds. */
const MAX_RUNS = 1 << 19;

/** The free space of a volume, in its own sectors, gathered in rising order. Short runs are dropped, so that they are saved. */
export class FreeRuns {
  /** All free sectors, those in short runs too. */
  freeSectors = 0;
  readonly sectorCount: number;
  readonly #kept: readonly SectorRange[];
  #keptAt = 0;
  #minSectors: number;
  #runs: SectorRange[] = [];

  /** `kept`: ascending ranges that count as used whatever is added. */
  constructor(sectorCount: number, minSectors: number, kept: readonly SectorRange[] = []) {
    this.sectorCount = sectorCount;
    this.#minSectors = minSectors;
    this.#kept = kept;
  }

  /** Sectors from `start` up to, not including, `end` are free. Throws Inconsistent when they are not there or come out of order. */
  add(start: number, end: number): void {
    if (!(start < end)) return;
    if (start < (this.#runs.at(-1)?.endSector ?? 0) || end > this.sectorCount) throw new Inconsistent('its free space lies outside it');
    for (;;) {
      const kept = this.#kept[this.#keptAt];
      if (!kept || kept.startSector >= end) break;
      this.#put(start, Math.min(kept.startSector, end));
      start = Math.max(start, kept.endSector);
      if (kept.endSector > end) break;
      this.#keptAt++;
    }
    this.#put(start, end);
  }

  /** The runs that are worth leaving out. */
  finish(): SectorRange[] {
    this.#dropShortLast();
    return this.#runs;
  }

  #put(startSector: number, endSector: number): void {
    if (startSector >= endSector) return;
    this.freeSectors += endSector - startSector;
    const last = this.#runs.at(-1);
    if (last?.endSector === startSector) {
      last.endSector = endSector;
      return;
    }
    this.#dropShortLast();
    this.#runs.push({ startSector, endSector });
    if (this.#runs.length > MAX_RUNS) this.#thinOut();
  }

  #dropShortLast(): void {
    const last = this.#runs.at(-1);
    if (last && !this.#isLong(last)) this.#runs.pop();
  }

  /** At the volume's ends a short run may be part of a longer one. */
  #isLong({ startSector, endSector }: SectorRange): boolean {
    return endSector - startSector >= this.#minSectors || startSector === 0 || endSector === this.sectorCount;
  }

  #thinOut(): void {
    while (this.#runs.length > MAX_RUNS / 2) {
      this.#minSectors = Math.max(this.#minSectors, 1) * 2;
      this.#runs = this.#runs.filter((run) => this.#isLong(run));
    }
  }
}

/** Calls `onRun` for every run of clear bits among the first `bitCount`, the lowest bit of a byte first. */
export function clearBits(bitmap: Uint8Array, bitCount: number, onRun: (firstBit: number, endBit: number) => void): void {
  let start = -1;
  for (let bit = 0; bit < bitCount; ) {
    const byte = bitmap[bit >> 3] ?? 0xff;
    if ((bit & 7) === 0 && bit + 8 <= bitCount && (byte === 0 || byte === 0xff)) {
      if (byte === 0 && start < 0) start = bit;
      else if (byte === 0xff && start >= 0) {
        onRun(start, bit);
        start = -1;
      }
      bit += 8;
      continue;
    }
    const isClear = (byte & (1 << (bit & 7))) === 0;
    if (isClear && start < 0) start = bit;
    else if (!isClear && start >= 0) {
      onRun(start, bit);
      start = -1;
    }
    bit++;
  }
  if (start >= 0) onRun(start, bitCount);
}

/** The same ranges in rising order, those that touch or overlap made one. */
export function mergeRanges(ranges: SectorRange[]): SectorRange[] {
  const merged: SectorRange[] = [];
  for (const { startSector, endSector } of ranges.sort((a, b) => a.startSector - b.startSector)) {
    const last = merged.at(-1);
    if (startSector >= endSector) continue;
    if (last && startSector <= last.endSector) last.endSector = Math.max(last.endSector, endSector);
    else merged.push({ startSector, endSector });
  }
  return merged;
}
