import { messageOf } from '../util/errors.js';
import { ClientSession, POLL_MS, type ReceiveOptions, type ReceiveResult } from './client-session.js';
import { Coalescing } from './coalescing.js';
import { openSession } from './sockets.js';
import { fail } from './failures.js';

export type ReceiveImageOptions = ReceiveOptions & {
  /** See SessionAddress. */
  loopback: boolean;
  bufferBytes?: number;
  /** After so long without any datagram the group is joined anew. Default: never. */
  keepaliveMs?: number;
  /** This thread does nothing else: it may sleep for a millisecond while datagrams gather. */
  ownThread?: boolean;
};

/**
 * Receives one file with sockets of its own: joins, collects and writes every chunk, leaves. With no server it asks for
 * ever, like the real client: bound it with the signal.
 * Rejects with Failure 'address-in-use' and the like (openSession), 'server-silent', what the sink threw, or the signal's reason.
 */
export async function receiveImage(options: ReceiveImageOptions): Promise<ReceiveResult> {
  const { group, port, localIp, loopback, bufferBytes, keepaliveMs = Infinity, sink } = options;
  let session: ClientSession | null = null;
  let heardAt = performance.now();
  const coalescing = options.ownThread ? new Coalescing() : null;
  const sockets = await openSession(
    { group, port, localIp, loopback, ...(bufferBytes === undefined ? {} : { bufferBytes }) },
    (bytes, from) => {
      heardAt = performance.now();
      session?.onDatagram(bytes, from, heardAt);
      coalescing?.heard(heardAt);
    },
    (error) => session?.fail(fail('socket-failed', `UDP port ${port}: ${messageOf(error)}`, undefined, { cause: error })),
  ).catch(async (error: unknown) => {
    await sink.abort();
    throw error;
  });
  options.onEvent?.({ type: 'bound', receiveBufferBytes: sockets.receiveBufferBytes });
  let lastSent = Promise.resolve();
  const live = new ClientSession(options, performance.now(), (datagram) => {
    // what does not go out is asked for again, like what gets lost on the way
    lastSent = new Promise((resolve) => sockets.send(datagram, group, () => resolve()));
  });
  session = live;
  const poller = setInterval(() => {
    const now = performance.now();
    live.poll(now);
    if (now - heardAt <= keepaliveMs) return;
    heardAt = now;
    try {
      sockets.rejoin();
    } catch {
      // the interface is down: the next keepalive tries again
    }
  }, POLL_MS);
  try {
    live.poll(performance.now());
    return await live.done;
  } finally {
    clearInterval(poller);
    coalescing?.stop();
    await lastSent;
    await sockets.close();
  }
}
