import { randomBytes } from 'node:crypto';
import { sleep } from '../util/abort.js';
import { claimDead, readRecord } from './claim.js';
import type { PxeFolder } from './folder.js';
import { busyFailure, holderOf, holderPhrase, lostFailure, type Holder } from './holder.js';
import type { Judge } from './judge.js';
import { recordName } from './names.js';
import { formatRecord, foundRecord, tokenOf, type FoundRecord } from './owner-record.js';
import type { Who } from './who.js';
import { fail } from './failures.js';

/** What stood where our record stands now: nothing, our own, or a dead run's (then its link is no other program's). */
export type Before = 'new' | 'ours' | 'dead';

/** What a run's records say besides the node and the time. */
export type Signature = Who & { host: string; run: string; login: string; target: string };

/** `lost` is aborted, with a Failure `lock-lost` as its reason, as soon as the record is seen not to be ours any more. */
type Held = { node: string; contents: string; token: string; lost: AbortController };

/** How long a process may take to replace a dead run's record, which are a few file operations. */
const CLAIM_PATIENCE_MS = 5_000;

/**
 * The records of the nodes that one run holds, by the names of their links. A record is ours only as long as the file under
 * its name is the very one that we made: its nonce is known to nobody beforehand. Who was stopped for long finds another.
 */
export class OwnRecords {
  readonly #folder: PxeFolder;
  readonly #judge: Judge;
  readonly #signature: Signature;
  readonly #now: () => number;
  readonly #held = new Map<string, Held>();
  #beating = false;

  constructor(folder: PxeFolder, judge: Judge, signature: Signature, now: () => number) {
    this.#folder = folder;
    this.#judge = judge;
    this.#signature = signature;
    this.#now = now;
  }

  /** Makes a node ours. Rejects with a Failure `node-busy` when another live run has it, `lock-lost` when we had it. */
  async own(link: string, node: string): Promise<{ before: Before; lost: AbortSignal }> {
    const known = this.#held.get(link);
    if (known) {
      await this.check(link, node);
      return { before: 'ours', lost: known.lost.signal };
    }
    const contents = formatRecord({ ...this.#signature, node, at: this.#now(), nonce: randomBytes(12).toString('hex') });
    const held: Held = { node, contents, token: tokenOf(contents), lost: new AbortController() };
    const before = await this.#take(recordName(link), held);
    this.#held.set(link, held);
    return { before, lost: held.lost.signal };
  }

  /** Rejects with a Failure `lock-lost` when the node is not ours, or not any more. */
  async check(link: string, node: string): Promise<void> {
    const held = this.#held.get(link);
    if (!held) throw lostFailure(node, 'this run does not hold it');
    held.lost.signal.throwIfAborted();
    const file = await this.#folder.read(recordName(link));
    if (file?.contents === held.contents) return;
    const found = file && foundRecord(file);
    const now = found?.record
      ? `it is in the hands of ${holderPhrase(holderOf(found, found.record))} now`
      : `its record in ${this.#folder.path} is gone`;
    held.lost.abort(lostFailure(node, now));
    held.lost.signal.throwIfAborted();
  }

  async isOurs(link: string): Promise<boolean> {
    const held = this.#held.get(link);
    return held !== undefined && (await this.#folder.read(recordName(link)))?.contents === held.contents;
  }

  /** The other live run that holds a node, or null. */
  async holder(link: string): Promise<Holder | null> {
    const found = await readRecord(this.#folder, recordName(link));
    if (!found?.record || found.token === this.#held.get(link)?.token || !(await this.#judge.isLive(found))) return null;
    return holderOf(found, found.record);
  }

  /** Removes our record; another's is left alone. The node is not ours then. */
  async remove(link: string): Promise<void> {
    if (await this.isOurs(link)) await this.#folder.remove(recordName(link));
    this.#held.delete(link);
  }

  /** Makes the file server stamp our records anew; those that are not ours any more are told to be lost. */
  async beat(): Promise<void> {
    if (this.#beating) return; // a slow file server
    this.#beating = true;
    try {
      for (const [link, held] of [...this.#held]) {
        if (this.#held.get(link) !== held || held.lost.signal.aborted) continue;
        const isOurs = await this.#folder.touch(recordName(link), held.contents).catch(() => false);
        if (isOurs || this.#held.get(link) !== held) continue;
        await this.check(link, held.node).catch(() => {}); // the signal tells what is lost; whatever else it is, the next beat tries again
      }
    } finally {
      this.#beating = false;
    }
  }

  async #take(name: string, { node, contents, token }: Held): Promise<Before> {
    const giveUpAt = performance.now() + CLAIM_PATIENCE_MS;
    for (let pauseMs = 1; ; pauseMs = Math.min(50, pauseMs * 2)) {
      if (await this.#folder.create(name, contents)) return 'new';
      const found = await readRecord(this.#folder, name);
      if (!found) continue;
      if (found.token === token) return 'new'; // the answer of a file server was lost, and it was asked once more
      if (await this.#judge.isLive(found)) throw busyFailure(node, found);
      if (await this.#takeOver(name, found, contents)) return 'dead';
      if (performance.now() > giveUpAt)
        throw fail(
          'node-busy',
          `${node}: the record of who holds it has been in other hands for ${CLAIM_PATIENCE_MS / 1000} s`,
          'try again',
        );
      await sleep(pauseMs);
    }
  }

  /** Puts our record in the place of a dead run's; false when another process is at it. */
  async #takeOver(name: string, dead: FoundRecord, contents: string): Promise<boolean> {
    const release = await claimDead(this.#folder, this.#judge, this.#signature, dead.token);
    if (!release) return false;
    try {
      if ((await readRecord(this.#folder, name))?.token !== dead.token) return false;
      await this.#folder.replace(name, contents);
      return true;
    } finally {
      await release();
    }
  }
}
