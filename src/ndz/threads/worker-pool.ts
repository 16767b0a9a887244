import { Worker } from 'node:worker_threads';
import { endThread } from '../../util/end-thread.js';
import { messageOf } from '../../util/errors.js';
import { fail } from '../failures.js';
import { type FailureData, failureFrom } from '../../util/failures.js';

/** What a worker answers: the result of one job, or why there is none. */
export type PoolReply<Result> =
  | { id: number; ok: true; result: Result }
  | { id: number; ok: false; failure: FailureData | null; message: string };

/** What a worker is sent. */
export type PoolRequest<Job> = { id: number; job: Job };

export type PoolOptions = {
  /** Path of the worker's bundle. */
  file: string;
  /** Most threads at once; each is started when there is work for it. */
  size: number;
  /** What every worker gets as its `workerData`. */
  data?: unknown;
  /** What its threads do, for messages: `compresses`. */
  does: string;
};

type Pending<Job, Result> = { id: number; job: Job; resolve: (result: Result) => void; reject: (error: Error) => void };
type Member<Job, Result> = { worker: Worker; running: Pending<Job, Result>[]; hasExited: boolean };

/** Jobs a thread has at hand: the next is there when one is done, whatever the main thread is busy with. */
const DEPTH = 2;
/** What a thread's objects may take; the data itself lies outside. */
const MAX_HEAP_MB = 192;

/**
 * Threads that each do one kind of job, in any order. A job that fails rejects with the Failure the worker threw; when a
 * thread dies, every job fails with `worker-crashed`, and so do later ones.
 */
export class WorkerPool<Job, Result> {
  readonly #options: PoolOptions;
  readonly #members: Member<Job, Result>[] = [];
  readonly #waiting: Pending<Job, Result>[] = [];
  #ids = 0;
  #dead: Error | null = null;

  constructor(options: PoolOptions) {
    this.#options = options;
  }

  /** Does a job; an urgent one goes before those that wait. What `job` refers to must be shared memory or plain data. */
  run(job: Job, { urgent = false }: { urgent?: boolean } = {}): Promise<Result> {
    return new Promise((resolve, reject) => {
      if (this.#dead) return reject(this.#dead);
      const pending = { id: ++this.#ids, job, resolve, reject };
      if (urgent) this.#waiting.unshift(pending);
      else this.#waiting.push(pending);
      this.#assign();
    });
  }

  /** Ends all threads; jobs that are not done reject. Resolves when no thread touches shared memory or files any more. */
  async close(): Promise<void> {
    this.#fail(fail('worker-crashed', `the threads that ${this.#options.does} were ended`));
    await Promise.all(this.#members.filter(({ hasExited }) => !hasExited).map(({ worker }) => endThread(worker)));
  }

  #assign(): void {
    for (let next = this.#waiting[0]; next; next = this.#waiting[0]) {
      const member = this.#leastBusy();
      if (!member) return;
      this.#waiting.shift();
      member.running.push(next);
      member.worker.postMessage({ id: next.id, job: next.job } satisfies PoolRequest<Job>);
    }
  }

  #leastBusy(): Member<Job, Result> | null {
    const idle = this.#members.find(({ running }) => running.length === 0);
    if (idle) return idle;
    if (this.#members.length < this.#options.size) return this.#start();
    const [least] = this.#members.toSorted((a, b) => a.running.length - b.running.length);
    return least && least.running.length < DEPTH ? least : null;
  }

  #start(): Member<Job, Result> {
    const { file, data, does } = this.#options;
    const worker = new Worker(file, { workerData: data, resourceLimits: { maxOldGenerationSizeMb: MAX_HEAP_MB } });
    const member: Member<Job, Result> = { worker, running: [], hasExited: false };
    const die = (why: string): void =>
      this.#fail(fail('worker-crashed', `a thread that ${does} ended: ${why}`, 'out of memory? try again with fewer workers'));
    worker.on('message', (reply: PoolReply<Result>) => this.#settle(member, reply));
    worker.on('messageerror', (error) => die(messageOf(error)));
    worker.on('error', (error) => die(messageOf(error)));
    worker.on('exit', (code) => {
      member.hasExited = true;
      die(`exit code ${code}`);
    });
    this.#members.push(member);
    return member;
  }

  #settle(member: Member<Job, Result>, reply: PoolReply<Result>): void {
    const at = member.running.findIndex(({ id }) => id === reply.id);
    const [pending] = at < 0 ? [] : member.running.splice(at, 1);
    this.#assign();
    if (reply.ok) pending?.resolve(reply.result);
    else pending?.reject(reply.failure === null ? new Error(reply.message) : failureFrom(reply.failure));
  }

  #fail(error: Error): void {
    this.#dead ??= error;
    for (const { reject } of [...this.#members.flatMap(({ running }) => running.splice(0)), ...this.#waiting.splice(0)]) reject(this.#dead);
  }
}
