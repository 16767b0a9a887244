import type { NextBootLinks } from '../pxe/links.js';
import { sleep } from '../util/abort.js';
import { Failure, messageOf } from '../util/errors.js';
import type { UndoStack } from '../util/undo.js';
import type { NodeRun } from './fan-out.js';
import type { Permit } from './permit.js';

export type HoldTools = {
  undo: UndoStack;
  links: Pick<NextBootLinks, 'claim' | 'release'>;
  /** Null: nobody needs one. */
  permit: Permit | null;
  /** How long to wait for a node that another run holds, in milliseconds; 0: not at all. */
  waitLockMs: number;
};

const LOCK_DEADLINE_MS = 30_000;
const POLL_MS = 1_000;

/** Does `work` on a node while it is ours: nobody else's run touches it until then. Step `lock`. */
export async function holding<T>(node: NodeRun, tools: HoldTools, work: () => Promise<T>): Promise<T> {
  const { mac } = node.node.control;
  let claiming: Promise<void> = Promise.resolve();
  const release = tools.undo.push(`giving ${node.name} up`, async () => {
    await claiming.catch(() => {}); // an interrupt does not wait for it, and a record must not appear after its removal
    await tools.links.release(mac);
  });
  try {
    await node.at('lock', LOCK_DEADLINE_MS + tools.waitLockMs, async (signal) => {
      await tools.permit?.(node.name, signal);
      const untilMs = node.host.monotonicMs() + tools.waitLockMs;
      for (;;) {
        claiming = tools.links.claim(mac, node.name);
        try {
          return await claiming;
        } catch (error) {
          if (!(error instanceof Failure) || error.code !== 'node-busy' || node.host.monotonicMs() >= untilMs) throw error;
          node.seen(error);
        }
        await sleep(POLL_MS * (0.5 + node.host.random()), signal);
      }
    });
    return await work();
  } finally {
    await release().catch((error: unknown) => node.note(`its record may be left: ${messageOf(error)}`));
  }
}
