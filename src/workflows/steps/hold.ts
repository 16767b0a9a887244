import type { NextBootLinks } from '../../pxe/links.js';
import { childSignal, settledWithin, sleep } from '../../util/abort.js';
import { messageOf } from '../../util/errors.js';
import type { UndoStack } from '../../util/undo.js';
import type { NodeRun } from '../node-steps.js';
import { Interrupted } from '../../engine/interrupted.js';
import type { Permit } from './may-act.js';
import { fail as pxeFail } from '../../pxe/failures.js';

export type HoldTools = {
  undo: UndoStack;
  links: Pick<NextBootLinks, 'claim' | 'check' | 'release'>;
  /** Null: nobody needs one. */
  permit: Permit | null;
  /** How long to wait for a node that another run holds, in milliseconds; 0: not at all. */
  waitLockMs: number;
};

const LOCK_DEADLINE_MS = 30_000;
const POLL_MS = 1_000;
/** Less than what is undone may take. */
const LAST_DEEDS_MS = 4_000;

/**
 * Does `work` on a node while it is ours: nobody else's run touches it until then. Step `lock`. When the node is seen to be
 * ours no more (this process was stopped for long), the signal of the node that `work` gets aborts, and it ends with a
 * Failure `lock-lost`, whatever its last deeds came to.
 */
export async function holding<T>(node: NodeRun, tools: HoldTools, work: (node: NodeRun) => Promise<T>): Promise<T> {
  const { mac } = node.target.control;
  let claiming: Promise<unknown> = Promise.resolve();
  let working: Promise<unknown> = Promise.resolve();
  const release = tools.undo.push(`giving ${node.name} up`, async () => {
    await claiming.catch(() => {}); // an interrupt does not wait for it, and a record must not appear after its removal
    if (!(node.signal.reason instanceof Interrupted)) await settledWithin(LAST_DEEDS_MS, working); // of one that was given up: the reset of a node it leaves
    await tools.links.release(mac);
  });
  try {
    const lost = await node.at('lock', LOCK_DEADLINE_MS + tools.waitLockMs, async (signal) => {
      await tools.permit?.(node.name, signal);
      const untilMs = node.host.monotonicMs() + tools.waitLockMs;
      for (;;) {
        const claim = tools.links.claim(mac, node.name);
        claiming = claim;
        try {
          return await claim;
        } catch (error) {
          if (!pxeFail.is(error, 'node-busy') || node.host.monotonicMs() >= untilMs) throw error;
          node.seen(error);
        }
        await sleep(POLL_MS * (0.5 + node.host.random()), signal);
      }
    });
    const done = unlessLost(node, lost, work);
    working = done;
    return await done.catch((error: unknown) => explained(error, node, tools));
  } finally {
    await release().catch((error: unknown) => node.note(`its record may be left: ${messageOf(error)}`));
  }
}

async function unlessLost<T>(node: NodeRun, lost: AbortSignal, work: (node: NodeRun) => Promise<T>): Promise<T> {
  const child = childSignal(node.signal);
  const onLost = (): void => child.abort(lost.reason);
  if (lost.aborted) onLost();
  else lost.addEventListener('abort', onLost, { once: true });
  try {
    return await work(node.again(node.attempt, child.signal));
  } finally {
    lost.removeEventListener('abort', onLost);
    child.release();
  }
}

/** Another run that took the node over has reset it: whatever that looked like here, this is the reason. */
async function explained(error: unknown, node: NodeRun, { links }: HoldTools): Promise<never> {
  if (node.signal.aborted) throw error; // the run has ended it, and may have given the node up already
  await links.check(node.target.control.mac, node.name).catch((problem: unknown) => {
    if (pxeFail.is(problem, 'lock-lost')) throw problem;
  });
  throw error;
}
