import { parentPort } from 'node:worker_threads';
import { Failure, messageOf } from '../../util/errors.js';
import type { PoolReply, PoolRequest } from './worker-pool.js';
import { failureData } from '../../util/failures.js';

/** Makes this thread a pool's worker: does jobs one after the other, and answers each. */
export function serveJobs<Job, Result>(perform: (job: Job) => Result | Promise<Result>): void {
  const port = parentPort;
  if (!port) throw new Error('not a worker thread');
  const answer = (reply: PoolReply<Result>): void => port.postMessage(reply);
  const serve = async ({ id, job }: PoolRequest<Job>): Promise<void> => {
    try {
      answer({ id, ok: true, result: await perform(job) });
    } catch (error) {
      answer({ id, ok: false, failure: error instanceof Failure ? failureData(error) : null, message: messageOf(error) });
    }
  };
  let last: Promise<void> = Promise.resolve();
  port.on('message', (request: PoolRequest<Job> | null) => {
    last = last.then(() => (request === null ? port.close() : serve(request)));
  });
}
