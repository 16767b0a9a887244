import type { Worker } from 'node:worker_threads';

/** How long a thread may take to end by itself. */
const LEAVE_MS = 2_000;

/**
 * Ends a thread, which is told to by the message `null`: it ends after what it is doing. Tearing one down from outside is the
 * last resort: one that is just loading a library would take the process along.
 */
export async function endThread(worker: Worker): Promise<void> {
  const gone = new Promise<void>((resolve) => void worker.once('exit', () => resolve()));
  const late = setTimeout(() => void worker.terminate(), LEAVE_MS);
  worker.postMessage(null);
  await gone;
  clearTimeout(late);
}
