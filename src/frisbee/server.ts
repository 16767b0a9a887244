import { Worker } from 'node:worker_threads';
import { workerPath } from '../util/dist.js';
import { messageOf } from '../util/errors.js';
import { emptyServerStats, type ServerEvent, type ServerStats, type ServerInfo, type ServerOptions } from './server-events.js';
import { fail } from './failures.js';
import { type FailureData, failureData, failureFrom } from '../util/failures.js';

export type FrisbeeServer = {
  readonly info: ServerInfo;
  /** Closes socket, file and thread; resolves with the totals (zeros when the thread had crashed). May be called again. */
  stop(): Promise<ServerStats>;
};

/** What the server's thread says. */
export type FromServerThread =
  | { kind: 'ready'; info: ServerInfo }
  | { kind: 'refused'; failure: FailureData }
  | { kind: 'event'; event: ServerEvent }
  | { kind: 'stopped'; stats: ServerStats };

/** What it is told. */
export type ToServerThread = { kind: 'stop' };

const STOP_PATIENCE_MS = 3_000;

/**
 * Starts a frisbee server in a thread of its own. Resolves when it listens; rejects with Failure 'address-in-use' when
 * the port is taken (try the next slot), 'bad-interface', 'image-unreadable' or 'image-unservable'.
 * A crash of the thread arrives as a 'failed' event.
 */
export function startServer(options: ServerOptions & { onEvent?: (event: ServerEvent) => void }): Promise<FrisbeeServer> {
  const { onEvent, ...workerData } = options;
  const worker = new Worker(workerPath('frisbee-server'), { workerData });
  return new Promise((resolve, reject) => {
    let ready = false;
    let stopping = false;
    let finish: (stats: ServerStats) => void = () => undefined;
    const finished = new Promise<ServerStats>((settle) => (finish = settle));
    const crashed = (cause: unknown): void => {
      const what = `the frisbee server's thread ended: ${messageOf(cause)}`;
      finish(emptyServerStats());
      const failure = fail('server-crashed', what, undefined, { cause });
      if (!ready) reject(failure);
      else if (!stopping) onEvent?.({ type: 'failed', ...failureData(failure) });
      stopping = true;
    };
    worker.on('error', crashed);
    worker.on('exit', (code) => crashed(new Error(`exit code ${code}`)));
    worker.on('message', (message: FromServerThread) => {
      if (message.kind === 'event') onEvent?.(message.event);
      else if (message.kind === 'stopped') finish(message.stats);
      else if (message.kind === 'refused') reject(failureFrom(message.failure));
      else {
        ready = true;
        resolve({ info: message.info, stop });
      }
    });
    const stop = async (): Promise<ServerStats> => {
      stopping = true;
      worker.postMessage({ kind: 'stop' } satisfies ToServerThread);
      const late = setTimeout(() => void worker.terminate(), STOP_PATIENCE_MS);
      const stats = await finished;
      clearTimeout(late);
      await worker.terminate();
      return stats;
    };
  });
}
