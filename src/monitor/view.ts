import type { Key } from './keys.js';

/** What of a run is shown: the list, the list with a cursor, one node, the keys, or the question whether to end the run. */
export type View = {
  mode: 'list' | 'choose' | 'node' | 'help' | 'leave';
  failedOnly: boolean;
  /** The node under the cursor. */
  chosen: string | null;
  /** Digits typed so far: the number of a node. */
  typed: string;
};

export const firstView: View = { mode: 'list', failedOnly: false, chosen: null, typed: '' };

/** `at-once`: leaving costs nothing; `asks`: it would end the run, so it takes a second key. */
export type Leaving = 'at-once' | 'asks';

/** What a key does besides changing the view. */
export type Effect = 'none' | 'leave';

const STEPS: Readonly<Partial<Record<Key, number>>> = { up: -1, k: -1, down: 1, j: 1, pageup: -10, pagedown: 10 };

/** The view after a key. `nodes`: those that the list shows, from top to bottom. Does not know keys that are signals. */
export function pressKey(view: View, key: Key, nodes: readonly string[], leaving: Leaving): { view: View; effect: Effect } {
  if (view.mode === 'leave') return key === 'q' ? { view: { ...view, mode: 'list' }, effect: 'leave' } : stay({ ...view, mode: 'list' });
  if (key === 'q') return leaving === 'at-once' ? { view, effect: 'leave' } : stay({ ...view, mode: 'leave' });
  if (key === '?' || key === 'h') return stay({ ...view, mode: view.mode === 'help' ? 'list' : 'help' });
  if (key === 'f') return stay({ ...view, mode: 'list', failedOnly: !view.failedOnly, chosen: null, typed: '' });
  if (key === 'escape') return stay({ ...view, mode: view.mode === 'node' ? 'choose' : 'list', typed: '' });
  if (view.mode === 'help') return stay({ ...view, mode: 'list' });
  if (key === 'l')
    return stay(view.mode === 'choose' ? { ...view, mode: 'node' } : { ...view, mode: 'choose', chosen: standing(view, nodes), typed: '' });
  if (view.mode === 'list')
    return stay(key in STEPS || isDigit(key) ? choose({ ...view, mode: 'choose', chosen: standing(view, nodes) }, key, nodes) : view);
  if (key === 'enter') return stay({ ...view, mode: view.mode === 'choose' && view.chosen !== null ? 'node' : 'choose', typed: '' });
  return stay(choose(view, key, nodes));
}

function stay(view: View): { view: View; effect: Effect } {
  return { view, effect: 'none' };
}

function standing(view: View, nodes: readonly string[]): string | null {
  return view.chosen !== null && nodes.includes(view.chosen) ? view.chosen : (nodes[0] ?? null);
}

function choose(view: View, key: Key, nodes: readonly string[]): View {
  if (isDigit(key)) {
    const typed = (view.typed + key).slice(-6);
    const found = byNumber(nodes, typed) ?? byNumber(nodes, key);
    return { ...view, typed: byNumber(nodes, typed) === undefined ? key : typed, chosen: found ?? view.chosen };
  }
  const by = STEPS[key];
  if (by === undefined) return view;
  const at = view.chosen === null ? 0 : nodes.indexOf(view.chosen);
  return { ...view, typed: '', chosen: nodes[Math.min(nodes.length - 1, Math.max(0, at + by))] ?? null };
}

function byNumber(nodes: readonly string[], digits: string): string | undefined {
  return nodes.find((node) => Number(/\d+$/.exec(node)?.[0] ?? NaN) === Number(digits));
}

function isDigit(key: Key): boolean {
  return /^\d$/.test(key);
}
