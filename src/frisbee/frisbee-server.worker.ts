import { parentPort, workerData } from 'node:worker_threads';
import { Failure, messageOf } from '../util/errors.js';
import type { FromServerThread, ToServerThread } from './server.js';
import { type ServerOptions, ServerShell } from './server-shell.js';

/** The server's own thread: sending must not wait for whatever the main thread is busy with. */
async function main(): Promise<void> {
  const port = parentPort;
  if (!port) throw new Error('not a worker thread');
  const say = (message: FromServerThread): void => port.postMessage(message);
  const options = workerData as ServerOptions; // only startServer() starts this file
  try {
    const shell = await ServerShell.start(options, (event) => say({ kind: 'event', event }));
    port.on('message', (message: ToServerThread) => {
      if (message.kind !== 'stop') return;
      void shell.stop().then((stats) => {
        say({ kind: 'stopped', stats });
        port.close();
      });
    });
    say({ kind: 'ready', info: shell.info });
  } catch (error) {
    const failure = error instanceof Failure ? error : new Failure('server-failed', messageOf(error));
    say({ kind: 'refused', code: failure.code, message: failure.message, hint: failure.hint ?? null });
    port.close();
  }
}

await main();
