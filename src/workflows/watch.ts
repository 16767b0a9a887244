import pLimit from 'p-limit';
import type { InventoryNode } from '../inventory/inventory.js';
import { childSignal, reasonOf, sleep } from '../util/abort.js';
import type { Host } from '../util/host.js';
import { NodeWatch, type LookOptions } from './watching/watch-node.js';
import { difference, unseen, type NodeChange, type NodeFacts, type NodeView } from '../events/node-view.js';

export type WatchOptions = Omit<LookOptions, 'limits' | 'host'> & {
  host: Pick<Host, 'now' | 'monotonicMs' | 'random'>;
  /** Mean time between two looks at a node, milliseconds; each is 0.75 to 1.25 times that, so that nodes spread. */
  cycleMs: number;
  /** Every node was looked at once; changes come from now on. */
  onReady(states: ReadonlyMap<string, NodeView>): void;
  /** Once for each change; what one look finds is one change. */
  onChange(change: NodeChange): void;
};

const CARDS = 128;
const PROBES = 128;
const LOGINS = 16;

/**
 * Watches nodes until `signal` aborts, and rejects with its reason then; any other rejection is a bug. Cards and systems
 * are looked at independently: a silent card delays neither other nodes nor what is seen of its own.
 */
export async function watchNodes(nodes: readonly InventoryNode[], options: WatchOptions): Promise<never> {
  const { host, cycleMs } = options;
  const child = childSignal(options.signal);
  const look: LookOptions = {
    ...options,
    signal: child.signal,
    limits: { cards: pLimit(CARDS), probes: pLimit(PROBES), logins: pLimit(LOGINS) },
  };
  const states = new Map(nodes.map((node) => [node.name, unseen(host.now())]));
  let unready = 2 * nodes.length;
  let seq = 0;
  const tell = (node: string, state: NodeView, facts: Partial<NodeFacts>): void => {
    const found = difference(state, facts);
    if (found === null) return;
    const at = host.now();
    Object.assign(state, found.now, { since: at });
    if (unready === 0) options.onChange({ seq: ++seq, at, node, ...found, state: { ...state } });
  };
  const repeat = async (once: () => Promise<void>): Promise<void> => {
    for (let first = true; ; first = false) {
      await once();
      if (first && --unready === 0) options.onReady(states);
      await sleep(cycleMs * (0.75 + 0.5 * host.random()), child.signal);
    }
  };
  const loops = nodes.flatMap((node) => {
    const state = states.get(node.name) ?? unseen(host.now());
    const watch = new NodeWatch(
      node,
      look,
      () => state,
      (facts) => tell(node.name, state, facts),
    );
    return [repeat(() => watch.lookAtCard()), repeat(() => watch.lookAtSystem())];
  });
  try {
    await Promise.race(loops); // none ends but by the signal or by a defect
    throw reasonOf(options.signal);
  } catch (error) {
    child.abort(error);
    await Promise.allSettled(loops);
    throw error;
  } finally {
    child.release();
  }
}
