import { Worker } from 'node:worker_threads';
import { workerPath } from '../util/dist.js';
import { messageOf } from '../util/errors.js';
import type { NodeDisk } from './disk.js';
import { type FaultProfile, faultsOfWrite } from './fault.js';
import type { FrisbeeJob, FrisbeeThreadData, FromFrisbeeThread, ToFrisbeeThread } from './frisbee-jobs.js';
import { INTERRUPTED_STATUS, type Program } from './program.js';

type Waiting = { text(text: string): void; dropped(): void; ended(status: number): void };

const CLOSE_PATIENCE_MS = 3_000;
const CRASHED_STATUS = 134;
/** What a dying node printed last has so long to get through its shell: a real one's is on the wire already. */
const LAST_WORDS_MS = 20;

/**
 * Runs the frisbees of many nodes in one thread: our own client, whose sockets nodes on loopback addresses share. A node
 * that is to die in the middle has a thread of its own, which is ended then: nothing else is as silent, as a client that
 * is stopped says good-bye to the server.
 */
export class FrisbeeThread {
  readonly #data: FrisbeeThreadData;
  #worker: Worker | undefined;
  #lastId = 0;
  readonly #waiting = new Map<number, Waiting>();
  #closed: () => void = () => undefined;
  readonly #mortal: FrisbeeThread[] = [];

  constructor(data: FrisbeeThreadData) {
    this.#data = data;
  }

  /** A node's frisbee. From the first bytes until it ends well, the disk counts as half written. */
  program(profile: FaultProfile, disk: NodeDisk, crash: () => void): Program {
    let writes = 0;
    return (args, io) => {
      const faults = faultsOfWrite(profile, ++writes);
      if (faults.dropAtPercent === null) return this.#programHere(faults, disk, () => undefined)(args, io);
      const mortal = new FrisbeeThread(this.#data);
      this.#mortal.push(mortal);
      const dropped = (): void => {
        mortal.#kill();
        setTimeout(crash, LAST_WORDS_MS);
      };
      return mortal.#programHere(faults, disk, dropped)(args, io);
    };
  }

  #programHere(faults: FaultProfile, disk: NodeDisk, dropped: () => void): Program {
    return async (args, { stderr, signal }) => {
      const { dropAtPercent, diskErrorAtPercent, diskBytesPerSecond, lossPercent, corruptAtPercent } = faults;
      const job: FrisbeeJob = {
        args,
        diskPath: disk.path,
        faults: { dropAtPercent, diskErrorAtPercent, diskBytesPerSecond, corruptAtPercent },
        lossRate: lossPercent / 100,
        lossSeed: lossSeedOf(disk.path),
      };
      const status = await this.#run(job, signal, (text) => stderr.write(text), dropped);
      if (status !== 0) return status;
      disk.markComplete();
      return 0;
    };
  }

  /** Ends all transfers and the thread. */
  async close(): Promise<void> {
    for (const mortal of this.#mortal) await mortal.close();
    const worker = this.#worker;
    this.#worker = undefined;
    if (!worker) return;
    const closed = new Promise<void>((resolve) => (this.#closed = resolve));
    worker.postMessage({ kind: 'close' } satisfies ToFrisbeeThread);
    const late = setTimeout(() => this.#closed(), CLOSE_PATIENCE_MS);
    await closed;
    clearTimeout(late);
    await worker.terminate();
    this.#endAll(INTERRUPTED_STATUS);
  }

  /** No good-byes; whoever waits is told by the end of the node's session. */
  #kill(): void {
    const worker = this.#worker;
    this.#worker = undefined;
    worker?.removeAllListeners();
    void worker?.terminate();
  }

  #run(job: FrisbeeJob, signal: AbortSignal, print: (text: string) => void, dropped: () => void): Promise<number> {
    if (signal.aborted) return Promise.resolve(INTERRUPTED_STATUS);
    const worker = (this.#worker ??= this.#start());
    const id = ++this.#lastId;
    return new Promise((resolve) => {
      const stop = (): void => {
        worker.postMessage({ kind: 'stop', id } satisfies ToFrisbeeThread);
        ended(INTERRUPTED_STATUS);
      };
      const ended = (status: number): void => {
        this.#waiting.delete(id);
        signal.removeEventListener('abort', stop);
        resolve(status);
      };
      signal.addEventListener('abort', stop, { once: true });
      this.#waiting.set(id, { text: print, dropped, ended });
      worker.postMessage({ kind: 'start', id, job } satisfies ToFrisbeeThread);
    });
  }

  #start(): Worker {
    const worker = new Worker(workerPath('testbed-frisbee'), { workerData: this.#data });
    const crashed = (cause: unknown): void => {
      if (this.#worker === worker) this.#worker = undefined;
      this.#closed();
      for (const waiting of this.#waiting.values()) waiting.text(`frisbee: its thread ended: ${messageOf(cause)}\n`);
      this.#endAll(CRASHED_STATUS);
    };
    worker.on('error', crashed);
    worker.on('exit', (code) => crashed(new Error(`exit code ${code}`)));
    worker.on('message', (message: FromFrisbeeThread) => this.#heard(message));
    return worker;
  }

  #heard(message: FromFrisbeeThread): void {
    if (message.kind === 'closed') return this.#closed();
    const waiting = this.#waiting.get(message.id);
    if (message.kind === 'text') waiting?.text(message.text);
    else if (message.kind === 'dropped') waiting?.dropped();
    else waiting?.ended(message.status);
  }

  #endAll(status: number): void {
    for (const waiting of [...this.#waiting.values()]) waiting.ended(status);
  }
}

/** Every node loses other packets, and the same ones in each run. */
function lossSeedOf(text: string): number {
  let seed = 1;
  for (const character of text.slice(-64)) seed = (seed * 31 + character.charCodeAt(0)) >>> 0;
  return seed;
}
