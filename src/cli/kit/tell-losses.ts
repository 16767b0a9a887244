import type { Emit } from '../../events/types.js';
import type { Losses } from './standard-streams.js';

/**
 * Tells a run's journal and its person when an output is lost, which does not end the run; returns how to end that.
 * `shown`: whether warnings come before the person's eyes by standard error.
 */
export function tellLosses(losses: Losses | undefined, shown: boolean, emit: Emit): () => void {
  if (!losses) return () => {};
  return losses.onLoss((loss) => {
    const isOutput = loss.stream === 'standard output';
    loss.told = isOutput && shown;
    emit({
      type: 'run.warning',
      text: `cannot write to ${loss.stream}: ${loss.error.message}; the run goes on${isOutput ? ', and what it prints there is lost' : ' without telling its progress'}`,
    });
  });
}

/** What the final table says of progress that was lost; nobody has seen it elsewhere. */
export function lostProgress(losses: Losses | undefined): string[] {
  return losses?.error ? [`progress could not be written to ${losses.error.stream}: ${losses.error.error.message}`] : [];
}
