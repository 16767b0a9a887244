import type { RunState, TargetState } from '../events/reducer.js';
import { counted } from './nouns.js';

/**
 * Where the targets are that an interrupt has cut off, one line for each kind of place; empty for a run that nobody has
 * interrupted, and where its workflow says nothing of it. `fold` turns names into a short set.
 */
export function leftBehind(state: RunState, fold: (names: string[]) => string): string[] {
  if (state.ending === null) return [];
  const groups = new Map<string, string[]>();
  for (const target of state.targets.values()) {
    const place = target.failure?.code === 'interrupted' ? placeOf(target, state) : undefined;
    if (place !== undefined) groups.set(place, [...(groups.get(place) ?? []), target.name]);
  }
  return [...groups].map(([place, names]) => `${counted(state.kind, names.length)} (${fold(names)}) ${inNumber(place, names.length)}`);
}

function placeOf({ disk, failure, step }: TargetState, state: RunState): string | undefined {
  const at = failure?.step ?? step ?? '';
  return state.leftBehind.find((place) => place.disk === disk && (place.steps?.includes(at) ?? true))?.words;
}

/** The words for one or for many, of which `one|many` has both. */
function inNumber(words: string, count: number): string {
  return words.replaceAll(/\b(\w+)\|(\w+)\b/g, count === 1 ? '$1' : '$2');
}
