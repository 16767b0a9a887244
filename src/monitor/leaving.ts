import type { RunState } from '../events/reducer.js';
import { counted, noun } from './nouns.js';

/** What ending a run would do now, and the keys: the question that q puts, in lines of at most `width` where words allow. */
export function leavingQuestion(state: RunState, width: number): string[] {
  const count = [...state.targets.values()].filter(({ phase, disk }) => phase === 'active' && disk === 'in-write').length;
  const { kind } = state;
  const written = `${counted(kind, count)} ${count === 1 ? 'is' : 'are'} being written`;
  const disks = count === 1 ? 'its disk' : 'their disks';
  const finishes = state.details.onInterrupt === 'finish' && state.ending === null;
  if (width < 60) {
    const keys = finishes ? 'q again: finish, else go on' : 'q again ends the run, else go on';
    return count === 0 || finishes ? [keys] : [`${count} being written: ${count === 1 ? 'disk' : 'disks'} unusable then`, keys];
  }
  if (finishes) {
    return [
      count === 0 ? 'nothing is being written: the run would end' : `${written}: that is brought to its end, and nothing new begins`,
      'q again does so; any other key: go on',
    ];
  }
  const movesData = [...state.steps.values()].some(({ moves }) => moves === 'bytes');
  const keys = `q again ends the run${movesData ? ` and leaves ${noun(kind, 2)} as they are then` : ''}; any other key: go on`;
  return count === 0 ? [keys] : [`${written}: ${disks} will be unusable until ${kind === 'node' ? 'loaded' : 'written'} again`, keys];
}
