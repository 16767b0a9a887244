import { hashFile } from '../../images/records.js';
import { lastLine, parseStamp, STAMP_FILES, stampOfImage } from '../../images/stamp.js';
import { seededRandom } from '../../util/random.js';
import { ImageDigests } from '../../ndz/check/image-digests.js';
import { isChunkWhole } from '../../ndz/check/verify.js';
import type { ImageRecord, ImageRecords } from '../../runs/images.js';
import { Failure, messageOf } from '../../util/errors.js';
import type { Host } from '../../util/host.js';
import type { UndoStack } from '../../util/undo.js';
import type { RunningImage } from '../../events/results.js';
import type { Emit } from '../../events/types.js';
import type { NodeRun } from '../node-steps.js';
import { maxPiecesPerLine } from './read-back-shell.js';
import type { VerifyMode } from './verify-write.js';
import { fail } from '../failures.js';

/** What a load wants checked. */
export type ChecksPlan = {
  image: { path: string; name: string };
  verify: VerifyMode;
  /** The new system will be asked which image it is. */
  untilSsh: boolean;
  reset: boolean;
  hardDrive: string;
  ifNeeded: { trustStamp: boolean } | null;
};

export type ChecksTools = { run: string; host: Host; emit: Emit; signal: AbortSignal; undo: UndoStack; images: ImageRecords };

/** Where a system says which image it is; of several the last one that exists counts. */
export const STAMP_PATHS: readonly string[] = STAMP_FILES.map((path) => `/${path}`).reverse();

/** What nodes are compared with in one load: computed once, beside the load, while nodes boot and receive. */
export class LoadChecks {
  /** What the disks must hold; null with `verify: none`. */
  readonly digests: Promise<ImageDigests> | null;
  readonly #plan: ChecksPlan;
  readonly #tools: ChecksTools;
  readonly #wholeChunks = new Map<number, Promise<boolean | null>>();
  /** The last line of the image's own stamp; null when it has none, or nobody needs it. */
  readonly stamp: Promise<string | null>;
  /** SHA-256 of the image file in hex; null when it cannot be had, or nobody needs it. */
  readonly imageDigest: Promise<string | null>;

  /** Starts at once; ends with the tools' undo stack. */
  constructor(plan: ChecksPlan, tools: ChecksTools) {
    const { signal, undo } = tools;
    const { path } = plan.image;
    this.#plan = plan;
    this.#tools = tools;
    this.digests = plan.verify === 'none' ? null : openDigests(plan, plan.verify, tools);
    const { ifNeeded } = plan;
    const readsBack = this.digests !== null;
    this.stamp =
      readsBack || plan.untilSsh || ifNeeded?.trustStamp ? this.#optional('its stamp', stampOfImage(path, signal)) : Promise.resolve(null);
    this.imageDigest = readsBack || ifNeeded ? this.#optional('its SHA-256', hashFile(path, { signal })) : Promise.resolve(null);
    undo.push('ending the threads that compute digests', async () => (await this.digests?.catch(() => null))?.close());
  }

  /** Keeps that a node's disk is about to be written: from now on nobody knows what it holds. */
  async recordWriting(node: NodeRun): Promise<void> {
    await this.#record(node, { state: 'writing', digest: null, stamp: null, verify: 'none', booted: false });
  }

  /** Keeps what a node's disk holds now. */
  async recordWritten(node: NodeRun, verified: boolean): Promise<void> {
    const [digest, stamp] = [await this.imageDigest, await this.stamp];
    const { verify, reset } = this.#plan;
    await this.#record(node, {
      state: 'written',
      digest: digest === null ? null : `sha256:${digest}`,
      stamp,
      verify: verified ? verify : 'none',
      booted: reset,
    });
  }

  /**
   * Says which image a system runs, by the stamp in `files`. Throws Failure `wrong-image` when the image that was loaded has a
   * stamp and the system another or none.
   */
  async checkRunning(node: NodeRun, files: string | null): Promise<RunningImage> {
    const [expected, running] = [await this.stamp, files === null ? null : lastLine(files)];
    if (expected === null || files === null || running === expected)
      return { image: running === null ? null : (parseStamp(running)?.image ?? null), stamp: running };
    throw fail(
      'wrong-image',
      `${node.name} has booted a system that is not the image: ${running === null ? `it has none of ${STAMP_PATHS.join(' and ')}` : `its stamp is '${running}'`}; the image's is '${expected}'`,
      'does it boot from another disk, or over the network? look at its boot order',
    );
  }

  /** Whether a chunk of the image file, which a node received damaged, is whole here; null when that cannot be told. */
  chunkIsWhole(index: number): Promise<boolean | null> {
    const known = this.#wholeChunks.get(index) ?? isChunkWhole(this.#plan.image.path, index).catch(() => null);
    this.#wholeChunks.set(index, known);
    return known;
  }

  async #record(node: NodeRun, what: Pick<ImageRecord, 'state' | 'digest' | 'stamp' | 'verify' | 'booted'>): Promise<void> {
    const { run, host, images } = this.#tools;
    const { name, path } = this.#plan.image;
    await images.record(node.name, { ...what, name, path, run, by: host.login(), at: host.now() }).catch((error: unknown) => {
      if (!(error instanceof Failure)) throw error;
      node.note(error.message); // a record that cannot be kept is no reason to fail
    });
  }

  /** Nice to know, but no reason to fail: null with a note when it cannot be had. */
  #optional(what: string, promise: Promise<string | null>): Promise<string | null> {
    return promise.catch((error: unknown) => {
      if (!this.#tools.signal.aborted)
        this.#tools.emit({ type: 'run.note', text: `${this.#plan.image.path}: ${what} could not be read: ${messageOf(error)}` });
      return null;
    });
  }
}

/** The same run reads the same places again. */
function openDigests({ image, hardDrive }: ChecksPlan, mode: 'sample' | 'full', { run, signal }: ChecksTools): Promise<ImageDigests> {
  const random = seededRandom([...run].reduce((hash, letter) => Math.imul(hash ^ letter.charCodeAt(0), 0x0100_0193) >>> 0, 0x811c_9dc5));
  const opening = ImageDigests.open(image.path, { mode, random, maxPieces: maxPiecesPerLine(hardDrive), signal });
  // most ramdisks have sha1sum; another is computed when a node asks for it
  opening.then((digests) => digests.prepare('sha1')).catch(() => {}); // told to the nodes that ask
  return opening;
}
