import { lastLine } from '../../images/stamp.js';
import type { PresentResult } from '../../events/results.js';
import type { BootRecords } from '../../runs/boots.js';
import { verifiedImage, type ImageRecords } from '../../runs/images.js';
import { Failure } from '../../util/errors.js';
import type { NodeRun } from '../node-steps.js';
import { isFuture } from './past-boot.js';
import { type LoadChecks, STAMP_PATHS } from './load-checks.js';
import { askSystem, type SshWaitOptions } from '../wait.js';

export type IfNeeded = {
  /** The image's name. */
  image: string;
  /** Believe a running system that says it is the image. */
  trustStamp: boolean;
  checks: LoadChecks;
  /** How long after a load its system may have booted, milliseconds. */
  bootMs: number;
};

type IfNeededTools = { images: Pick<ImageRecords, 'last'>; boots: Pick<BootRecords, 'lastByAnybody'>; wait: SshWaitOptions };

const ASK_MS = 10_000;

/**
 * Whether a node has the image already, and how that is known: the very image was read back from its disk by an earlier load, no
 * reset or power-off was sent since, and the system that runs is the one that load booted. With `trustStamp` it is also
 * enough that the running system bears the image's stamp. Null: it is to be loaded; a note says what is missing.
 */
export async function alreadyThere(
  node: NodeRun,
  { image, trustStamp, checks, bootMs }: IfNeeded,
  { images, boots, wait }: IfNeededTools,
): Promise<PresentResult | null> {
  return node.at('check', ASK_MS + 5_000, async (signal) => {
    const [digest, stamp, known] = await Promise.all([
      checks.imageDigest,
      trustStamp ? checks.stamp : null,
      verifiedImage(node.name, images, boots),
    ]);
    const recorded = known !== null && digest !== null && known.digest === `sha256:${digest}` && known.cleanSince;
    if (!recorded && stamp === null)
      return loadIt(
        node,
        known === null
          ? 'no load of it that was read back is recorded'
          : known.cleanSince
            ? 'another image was loaded last'
            : 'it was reset or switched off since it was loaded',
      );
    try {
      const system = await askSystem(node, wait, STAMP_PATHS, signal);
      const uptimeMs = system.boot?.uptimeMs ?? null;
      if (stamp !== null && lastLine(system.text) === stamp) return { type: 'already-there', image, verifiedAt: null };
      if (!recorded) return loadIt(node, 'the running system does not bear the stamp of the image');
      if (isFuture(node.host, known.verifiedAt))
        return loadIt(node, 'it was loaded at a time that is in the future: the clock was wrong then, or is now');
      if (uptimeMs === null) return loadIt(node, 'its system does not say since when it runs');
      if (node.host.now() - uptimeMs > known.verifiedAt + bootMs) return loadIt(node, 'it has booted again since it was loaded');
      return { type: 'already-there', image, verifiedAt: known.verifiedAt };
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      return loadIt(node, error.message);
    }
  });
}

function loadIt(node: NodeRun, why: string): null {
  node.note(`to be loaded: ${why}`);
  return null;
}
