import { lookUp } from '../util/host.js';
import type { Machine } from '../util/machine.js';
import type { PxeFolder } from './folder.js';
import type { FoundRecord } from './owner-record.js';
import type { Who } from './who.js';

/** Who runs elsewhere and has not touched its file for so long, milliseconds by the file server's clock, is gone. */
export const SILENT_MS = 300_000;
/** The same for who ran on this very machine, before a reboot or in another container; clones of it are no reason to wait longer. */
export const SILENT_HERE_MS = 60_000;

/** So long is the file server's time that was asked for good enough: it is older than what it is compared with, never newer. */
const TIME_KEEPS_MS = 1_000;

/**
 * Tells whether the owners of files still run. Where they can be looked up, this boot and this pid namespace, /proc says
 * it. Elsewhere the files themselves do: who lives touches its file again and again. Both times, of the touch and of now,
 * are the file server's, as no two machines' clocks need to agree.
 */
export class Judge {
  readonly #folder: PxeFolder;
  readonly #here: Machine;
  #time: { askedAt: number; ms: Promise<number> } | null = null;

  constructor(folder: PxeFolder, here: Machine) {
    this.#folder = folder;
    this.#here = here;
  }

  /** Whether the owner of a record lives. What is no record was left by nobody who runs, as ours appear whole. */
  async isLive({ record, touchedAt }: FoundRecord): Promise<boolean> {
    return record !== null && this.lives(record, touchedAt);
  }

  /** `touchedAt`: when the file that tells of it was touched last, by the file server's clock. */
  async lives(who: Who, touchedAt: number): Promise<boolean> {
    const patienceMs = patienceWith(who, this.#here);
    if (patienceMs === 0 || patienceMs === Infinity) return patienceMs > 0;
    return (await this.#serverTime()) - touchedAt < patienceMs;
  }

  #serverTime(): Promise<number> {
    const now = performance.now();
    if (this.#time === null || now - this.#time.askedAt > TIME_KEEPS_MS) this.#time = { askedAt: now, ms: this.#folder.serverTime() };
    return this.#time.ms;
  }
}

/** How long somebody may be silent and still count as running: 0 when gone for certain, Infinity when it runs for certain. */
export function patienceWith({ process, machine }: Who, here: Machine): number {
  if (process.bootId === here.bootId) {
    if (machine !== null && machine.pidNamespace !== here.pidNamespace) return SILENT_HERE_MS;
    return { runs: Infinity, gone: 0, hidden: SILENT_HERE_MS }[lookUp(process)];
  }
  return machine !== null && machine.id !== '' && machine.id === here.id ? SILENT_HERE_MS : SILENT_MS;
}
