import { parentPort } from 'node:worker_threads';
import { Failure, messageOf } from '../../util/errors.js';
import type { PoolReply, PoolRequest } from './worker-pool.js';
import { failureData } from '../../util/failures.js';

export type AroundJobs = {
  /** Called after each job. What it returns is waited for before the job is answered, while the next is being done. */
  finish?(): Promise<(() => Promise<void>) | null>;
  /** Called when there will be no more jobs. */
  end?(): Promise<void>;
};

/** Makes this thread a pool's worker: does jobs one after the other, and answers each. */
export function serveJobs<Job, Result>(perform: (job: Job) => Result | Promise<Result>, { finish, end }: AroundJobs = {}): void {
  const port = parentPort;
  if (!port) throw new Error('not a worker thread');
  const answer = (reply: PoolReply<Result>): void => port.postMessage(reply);
  const refuse = (id: number, error: unknown): void =>
    answer({ id, ok: false, failure: error instanceof Failure ? failureData(error) : null, message: messageOf(error) });
  const serve = async ({ id, job }: PoolRequest<Job>): Promise<void> => {
    try {
      const result = await perform(job);
      const rest = await finish?.();
      if (!rest) return answer({ id, ok: true, result });
      rest().then(
        () => answer({ id, ok: true, result }),
        (error: unknown) => refuse(id, error),
      );
    } catch (error) {
      refuse(id, error);
    }
  };
  let last: Promise<void> = Promise.resolve();
  let isEnding = false;
  port.on('message', (request: PoolRequest<Job> | null) => {
    isEnding ||= request === null; // what waits is not begun any more
    last = last.then(async () => {
      if (request !== null) return isEnding ? undefined : serve(request);
      await end?.();
      port.close();
    });
  });
}
