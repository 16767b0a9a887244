import { setMaxListeners } from 'node:events';
import type { Emit } from '../events/types.js';
import { Interrupted } from '../engine/interrupted.js';
import type { AppContext } from './context.js';
import type { NodeWorkflow } from './node-workflow.js';

/** What signals do to a run. */
export type Interruption = {
  /** Aborted by a signal that lets end what was begun. */
  finishing: AbortSignal;
  /** Why the run was ended from outside, or null. */
  reason(): Interrupted | null;
  close(): void;
};

/** Tells a run's journal and its person of each signal, and takes the first one softly when the workflow wants that. */
export function hearInterrupts(
  { onInterrupt }: Pick<NodeWorkflow, 'onInterrupt'>,
  { signal, softly }: Pick<AppContext, 'signal' | 'softly'>,
  emit: Emit,
): Interruption {
  const finishing = new AbortController();
  setMaxListeners(0, finishing.signal); // every node listens
  const onStop = (): void => {
    if (signal.reason instanceof Interrupted) emit({ type: 'run.interrupted', signal: signal.reason.signalName, then: 'stop' });
  };
  signal.addEventListener('abort', onStop, { once: true });
  const harden =
    onInterrupt !== 'finish'
      ? undefined
      : softly?.((reason) => {
          emit({ type: 'run.interrupted', signal: reason.signalName, then: 'finish' });
          finishing.abort(reason);
        });
  return {
    finishing: finishing.signal,
    reason: () => [signal.reason, finishing.signal.reason].find((reason): reason is Interrupted => reason instanceof Interrupted) ?? null,
    close: () => {
      harden?.();
      signal.removeEventListener('abort', onStop);
    },
  };
}
