import { type DigestName, split, type ByteRange, type DigestGroup } from '../../disk/digest.js';
import { SECTOR_BYTES } from '../../disk/sector.js';
import type { Verification } from '../../events/results.js';
import type { ExpectedDigests, ImageDigests } from '../../ndz/check/image-digests.js';
import type { TelnetSession } from '../../telnet/session.js';
import { untilAborted } from '../../util/abort.js';
import { Failure } from '../../util/errors.js';
import type { NodeRun } from '../node-steps.js';
import { ReadBackShell } from './read-back-shell.js';
import { fail } from '../failures.js';

/** How much of what was written is read back: the first region, the last and 64 ranges at random places; all of it; nothing. */
export type VerifyMode = 'sample' | 'full' | 'none';

export type VerifyOptions = {
  mode: 'sample' | 'full';
  /** The node's disk, as its shell calls it. */
  device: string;
  /** What the disk must hold; shared by all nodes. */
  digests: Promise<ImageDigests>;
  /** Silence of the node's shell that counts as a dead node, milliseconds. */
  stallMs: number;
};

/** Small enough that a node which is fast never waits long for the gateway, large enough to fill lines. */
const GROUPS_AT_ONCE = 64;
/** After about so many bytes what was found so far is looked at. */
const BYTES_AT_ONCE = 256 * 1024 * 1024;
/** How long to go on counting after something wrong was found, milliseconds. */
const COUNT_ON_MS = 10_000;
/** Parts that a wrong range is cut into, over and over, to find the sector. */
const PARTS = 32;

/**
 * Reads back what a node has on its disk, in its own shell, and compares it with the image's content; `node.progress` tells
 * how far it is. Rejects with a Failure `verify-mismatch`, `verify-unreadable`, `verify-impossible` (`full` without the
 * programs for it), `verify-failed`, those of `TelnetSession.run` and of `ImageDigests`, or the signal's reason.
 */
export async function verifyWrite(
  node: NodeRun,
  telnet: TelnetSession,
  options: VerifyOptions,
  signal: AbortSignal,
): Promise<Verification> {
  const shell = new ReadBackShell(telnet, options.device, { signal, silenceTimeoutMs: options.stallMs });
  const digest = await shell.findDigest();
  const problem = digest === null ? 'no-digest' : await shell.checkDisk();
  if (problem === 'unreadable') {
    const words = await shell.readError({ offset: 0, sizeBytes: SECTOR_BYTES });
    throw fail(
      'verify-unreadable',
      `${node.name} wrote ${options.device} and cannot read it: ${words ?? 'now it can'}`,
      'is the disk sound? look at its SMART values',
    );
  }
  if (digest === null || problem !== null)
    return impossible(node, options.mode, problem === 'no-dd' ? 'dd' : 'sha1sum, sha256sum, md5sum or cksum');
  const fromDisk = await shell.forgetCache();
  if (!fromDisk) node.note('the cache of its kernel could not be emptied: what is read back may come from memory');
  const image = await untilAborted(signal, options.digests);
  const check = new ReadBack(node, shell, image, digest, signal);
  await check.run();
  const { checkedBytes: bytes, imageBytes: ofBytes } = image;
  return { verified: true, mode: options.mode, ranges: check.compared, bytes, ofBytes, fromMemory: !fromDisk };
}

function impossible(node: NodeRun, mode: VerifyOptions['mode'], missing: string): Verification {
  const what = `not verified: the PXE system of ${node.name} has no ${missing}`;
  if (mode === 'full') throw fail('verify-impossible', what, 'add it to the PXE system, or load with --verify none');
  node.note(what);
  return { verified: false, missing };
}

/** One node's way through what must be read back. */
class ReadBack {
  /** Ranges compared so far, and those that differ. */
  compared = 0;
  #bad = 0;
  #firstBad: { position: number; group: DigestGroup } | null = null;
  #doneBytes = 0;
  readonly #node: NodeRun;
  readonly #shell: ReadBackShell;
  readonly #image: ImageDigests;
  readonly #digest: DigestName;
  readonly #signal: AbortSignal;

  constructor(node: NodeRun, shell: ReadBackShell, image: ImageDigests, digest: DigestName, signal: AbortSignal) {
    this.#node = node;
    this.#shell = shell;
    this.#image = image;
    this.#digest = digest;
    this.#signal = signal;
  }

  async run(): Promise<void> {
    let badSinceMs = Infinity;
    let batch: ExpectedDigests[] = [];
    let [groups, bytes] = [0, 0];
    for (let number = 0; number < this.#image.itemCount; number++) {
      const item = await untilAborted(this.#signal, this.#image.item(number, this.#digest));
      batch.push(item);
      groups += item.groups.length;
      bytes += item.groups.reduce((sum, group) => sum + sizeOf(group), 0);
      if (groups < GROUPS_AT_ONCE && bytes < BYTES_AT_ONCE && number + 1 < this.#image.itemCount) continue;
      await this.#compare(batch);
      [batch, groups, bytes] = [[], 0, 0];
      if (this.#bad > 0) badSinceMs = Math.min(badSinceMs, this.#node.host.monotonicMs());
      if (this.#node.host.monotonicMs() - badSinceMs > COUNT_ON_MS) break;
    }
    if (this.#firstBad) throw await this.#mismatch(this.#firstBad);
  }

  async #compare(batch: readonly ExpectedDigests[]): Promise<void> {
    const all = batch.flatMap(({ position, groups, digests }) =>
      groups.map((group, index) => ({ position, group, wanted: digests[index] })),
    );
    let told = 0;
    const onLine = (done: number): void => {
      for (const { group } of all.slice(told, done)) this.#doneBytes += sizeOf(group);
      told = done;
      this.#node.progress(this.#doneBytes, this.#image.checkedBytes);
    };
    const seen = await this.#shell.digests(
      all.map(({ group }) => group),
      this.#digest,
      onLine,
    );
    for (const [index, { position, group, wanted }] of all.entries()) {
      this.compared++;
      if (seen[index] === wanted) continue;
      this.#bad++;
      this.#firstBad ??= { position, group };
    }
  }

  async #mismatch({ position, group }: { position: number; group: DigestGroup }): Promise<Failure> {
    await this.#shell.forgetCache(); // looking again at the same memory would tell nothing
    const { range, isLost } = await this.#locate(position, group);
    const sector = Math.floor(range.offset / SECTOR_BYTES);
    const where = `${range.sizeBytes} bytes from byte ${range.offset} on (sector ${sector})`;
    const error = isLost ? null : await this.#shell.readError(range);
    const what =
      error !== null
        ? `cannot be read back: ${error}`
        : isLost
          ? 'were wrong once and right when read again'
          : 'are not what the image has there';
    return fail(
      'verify-mismatch',
      `${this.#node.name}: ${where} ${what}; ${this.#bad} of the ${this.compared} ranges compared differ`,
      "the disk, its cable or the memory of the node is at fault: load it again, and look at its log and the disk's SMART values",
    );
  }

  /** Cuts a wrong range in parts until one sector is left. `isLost`: read again, all parts are right. */
  async #locate(position: number, group: DigestGroup): Promise<{ range: ByteRange; isLost: boolean }> {
    let ranges: readonly ByteRange[] = group;
    for (;;) {
      const [first] = ranges;
      if (!first) throw new Error('a group without ranges');
      const parts = ranges.length > 1 ? ranges : split(first, PARTS);
      const groups = parts.map((range) => [range]);
      const [wanted, seen] = [
        await untilAborted(this.#signal, this.#image.digests(position, groups, this.#digest)),
        await this.#shell.digests(groups, this.#digest),
      ];
      const bad = parts.find((_, index) => seen[index] !== wanted[index]);
      if (!bad) return { range: first, isLost: true };
      if (bad.sizeBytes <= SECTOR_BYTES) return { range: bad, isLost: false };
      ranges = [bad];
    }
  }
}

function sizeOf(group: DigestGroup): number {
  return group.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
}
