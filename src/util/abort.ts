import { setMaxListeners } from 'node:events';

/** The longest time a timer can be set to; a longer one would fire at once. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** Resolves after `ms` milliseconds; rejects with the signal's reason as soon as it aborts. */
export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(reasonOf(signal));
    const onAbort = (): void => {
      clearTimeout(timer);
      if (signal) reject(reasonOf(signal));
    };
    const timer = setTimeout(
      () => {
        signal?.removeEventListener('abort', onAbort);
        resolve();
      },
      Math.min(ms, MAX_TIMER_MS),
    );
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}

/** A controller whose signal anybody may listen to. */
function openController(): AbortController {
  const controller = new AbortController();
  setMaxListeners(0, controller.signal);
  return controller;
}

/** A child of `parent` with a controller of its own. Call `release()` when done, so the parent forgets it. */
export function childSignal(parent?: AbortSignal): { signal: AbortSignal; abort(reason: unknown): void; release(): void } {
  const controller = openController();
  const onAbort = (): void => controller.abort(parent?.reason);
  if (parent?.aborted) onAbort();
  else parent?.addEventListener('abort', onAbort, { once: true });
  return {
    signal: controller.signal,
    abort: (reason) => controller.abort(reason),
    release: () => parent?.removeEventListener('abort', onAbort),
  };
}

/**
 * Runs `work` under a deadline of its own: after `ms` its signal aborts with what `late()` makes, and the returned
 * promise rejects with it at once, even when `work` is slow to notice. The signal aborts when the work is over, too, so
 * whatever lost a race in it stops. `ms` may be Infinity.
 */
export async function withDeadline<T>(
  parent: AbortSignal | undefined,
  ms: number,
  late: () => Error,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  if (parent?.aborted) throw reasonOf(parent);
  const controller = openController();
  let endWaiting = (): void => {};
  const cut = new Promise<never>((_, reject) => {
    const stop = (reason: Error): void => {
      controller.abort(reason);
      reject(reason);
    };
    const onAbort = (): void => parent && stop(reasonOf(parent));
    const timer = Number.isFinite(ms) ? setTimeout(() => stop(late()), Math.min(Math.max(0, ms), MAX_TIMER_MS)) : undefined;
    parent?.addEventListener('abort', onAbort, { once: true });
    endWaiting = () => {
      clearTimeout(timer);
      parent?.removeEventListener('abort', onAbort);
    };
  });
  try {
    return await Promise.race([work(controller.signal), cut]);
  } finally {
    endWaiting();
    controller.abort(over);
  }
}

/** Why the signal of a piece of work that has ended is aborted; nobody waits to see it. */
const over = new Error('over');

/**
 * Settles as `promise` does, or rejects with the signal's reason, or after `ms` with what `late()` makes, when that comes
 * first. What makes the promise is told nothing: `withDeadline` is for work that must stop.
 */
export function untilAborted<T>(signal: AbortSignal, promise: Promise<T>, ms = Infinity, late?: () => Error): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => settle(reject, reasonOf(signal));
    const settle = <A>(how: (value: A) => void, value: A): void => {
      signal.removeEventListener('abort', onAbort);
      clearTimeout(timer);
      how(value);
    };
    const timer =
      late && Number.isFinite(ms) ? setTimeout(() => settle(reject, late()), Math.min(Math.max(0, ms), MAX_TIMER_MS)) : undefined;
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
    promise.then(
      (value) => settle(resolve, value),
      (error: unknown) => settle(reject, error),
    );
  });
}

/** Resolves once the promise has settled, however it did, and after `ms` milliseconds at the latest. */
export function settledWithin(ms: number, promise: Promise<unknown>): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    const settle = (): void => {
      clearTimeout(timer);
      resolve();
    };
    promise.then(settle, settle);
  });
}

/** An aborted signal's reason, always as an Error. */
export function reasonOf(signal: AbortSignal): Error {
  return signal.reason instanceof Error ? signal.reason : new Error(String(signal.reason ?? 'aborted'));
}
