import type { NextBootLinks } from '../../pxe/links.js';
import type { NodeRun } from '../node-steps.js';

/**
 * Resolves when the run may act on a node now; rejects with a Failure when not, or with the signal's reason. Asked again
 * before every step that cannot be taken back. It has a deadline of its own.
 */
export type Permit = (node: string, signal: AbortSignal) => Promise<void>;

/** The step before a node is touched; null means that nobody needs a permit, and there is no such step. */
export async function lockStep(node: NodeRun, permit: Permit | null): Promise<void> {
  if (permit !== null) await node.at('lock', Infinity, (signal) => permit(node.name, signal));
}

/** Before a step that cannot be taken back: rejects with a Failure when we may not act on the node now, or it is not ours any more. */
export async function mayAct(
  node: NodeRun,
  tools: { permit: Permit | null; links: Pick<NextBootLinks, 'check'> },
  signal: AbortSignal,
): Promise<void> {
  await tools.permit?.(node.name, signal);
  await tools.links.check(node.target.control.mac, node.name);
}
