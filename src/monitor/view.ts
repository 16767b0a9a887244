import type { Key } from './keys.js';

/** What of a run is shown: the list, the list with a cursor, one target, the keys, or the question whether to end the run. */
export type View = {
  mode: 'list' | 'choose' | 'one' | 'help' | 'leave';
  failedOnly: boolean;
  /** The target under the cursor. */
  chosen: string | null;
  /** Digits typed so far: the number of a target. */
  typed: string;
};

export const firstView: View = { mode: 'list', failedOnly: false, chosen: null, typed: '' };

/** `at-once`: leaving costs nothing; `asks`: it would end the run, so it takes a second key. */
export type Leaving = 'at-once' | 'asks';

/** What a key does besides changing the view. */
export type Effect = 'none' | 'leave';

const STEPS: Readonly<Partial<Record<Key, number>>> = { up: -1, k: -1, down: 1, j: 1, pageup: -10, pagedown: 10 };

/** The view after a key. `targets`: those that the list shows, from top to bottom. Does not know keys that are signals. */
export function pressKey(view: View, key: Key, targets: readonly string[], leaving: Leaving): { view: View; effect: Effect } {
  if (view.mode === 'leave') return key === 'q' ? { view: { ...view, mode: 'list' }, effect: 'leave' } : stay({ ...view, mode: 'list' });
  if (key === 'q') return leaving === 'at-once' ? { view, effect: 'leave' } : stay({ ...view, mode: 'leave' });
  if (key === '?' || key === 'h') return stay({ ...view, mode: view.mode === 'help' ? 'list' : 'help' });
  if (key === 'f') return stay({ ...view, mode: 'list', failedOnly: !view.failedOnly, chosen: null, typed: '' });
  if (key === 'escape') return stay({ ...view, mode: view.mode === 'one' ? 'choose' : 'list', typed: '' });
  if (view.mode === 'help') return stay({ ...view, mode: 'list' });
  if (key === 'l')
    return stay(
      view.mode === 'choose' ? { ...view, mode: 'one' } : { ...view, mode: 'choose', chosen: standing(view, targets), typed: '' },
    );
  if (view.mode === 'list')
    return stay(key in STEPS || isDigit(key) ? choose({ ...view, mode: 'choose', chosen: standing(view, targets) }, key, targets) : view);
  if (key === 'enter') return stay({ ...view, mode: view.mode === 'choose' && view.chosen !== null ? 'one' : 'choose', typed: '' });
  return stay(choose(view, key, targets));
}

function stay(view: View): { view: View; effect: Effect } {
  return { view, effect: 'none' };
}

function standing(view: View, targets: readonly string[]): string | null {
  return view.chosen !== null && targets.includes(view.chosen) ? view.chosen : (targets[0] ?? null);
}

function choose(view: View, key: Key, targets: readonly string[]): View {
  if (isDigit(key)) {
    const typed = (view.typed + key).slice(-6);
    const found = byNumber(targets, typed) ?? byNumber(targets, key);
    return { ...view, typed: byNumber(targets, typed) === undefined ? key : typed, chosen: found ?? view.chosen };
  }
  const by = STEPS[key];
  if (by === undefined) return view;
  const at = view.chosen === null ? 0 : targets.indexOf(view.chosen);
  return { ...view, typed: '', chosen: targets[Math.min(targets.length - 1, Math.max(0, at + by))] ?? null };
}

function byNumber(targets: readonly string[], digits: string): string | undefined {
  return targets.find((target) => Number(/\d+$/.exec(target)?.[0] ?? NaN) === Number(digits));
}

function isDigit(key: Key): boolean {
  return /^\d$/.test(key);
}
