import { parentPort, workerData } from 'node:worker_threads';
import { Failure, messageOf } from '../util/errors.js';
import { systemHost } from '../util/host.js';
import type { ServerEvent, ServerOptions } from './server-events.js';
import type { FromServerThread, ToServerThread } from './server.js';
import { ServerSession } from './server-session.js';
import { fail } from './failures.js';
import { failureData } from '../util/failures.js';

/** So many events at once, then so many per second, reach the main thread: a flood of forged joins must not drown it. */
const EVENT_BURST = 8_000;
const EVENTS_PER_SECOND = 1_000;

/** Lets through what the main thread can take; what nobody may miss always. */
function limited(emit: (event: ServerEvent) => void): (event: ServerEvent) => void {
  let credit = EVENT_BURST;
  let lastMs = systemHost.monotonicMs();
  return (event) => {
    const now = systemHost.monotonicMs();
    credit = Math.min(EVENT_BURST, credit + ((now - lastMs) * EVENTS_PER_SECOND) / 1000);
    lastMs = now;
    const essential = event.type === 'failed' || event.type === 'idle' || event.type === 'rate';
    if (!essential && credit < 1) return;
    credit -= essential ? 0 : 1;
    emit(event);
  };
}

/** The server's own thread: sending must not wait for whatever the main thread is busy with. */
async function main(): Promise<void> {
  const port = parentPort;
  if (!port) throw new Error('not a worker thread');
  const say = (message: FromServerThread): void => port.postMessage(message);
  const options = workerData as ServerOptions; // only startServer() starts this file
  try {
    const session = await ServerSession.start(
      options,
      limited((event) => say({ kind: 'event', event })),
    );
    port.on('message', (message: ToServerThread) => {
      if (message.kind !== 'stop') return;
      void session.stop().then((stats) => {
        say({ kind: 'stopped', stats });
        port.close();
      });
    });
    say({ kind: 'ready', info: session.info });
  } catch (error) {
    const failure = error instanceof Failure ? error : fail('server-failed', messageOf(error));
    say({ kind: 'refused', failure: failureData(failure) });
    port.close();
  }
}

await main();
