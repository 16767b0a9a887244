import { messageOf } from '../util/errors.js';
import { systemHost } from '../util/host.js';
import { ClientSession, POLL_MS } from './client-session.js';
import { Coalescing } from './coalescing.js';
import type { ReceiveHost, ReceiveOptions, ReceiveResult } from './receive-options.js';
import type { DatagramHandler } from '../native/udp-socket.js';
import { openSession, openGroupListener, openLoopbackSender, type SessionSockets } from './sockets.js';
import { decode, isBlock } from './wire.js';
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
  const { group, port, localIp, loopback, bufferBytes, keepaliveMs = Infinity, sink, host = systemHost } = options;
  let session: ClientSession | null = null;
  let heardAt = host.monotonicMs();
  const coalescing = options.ownThread ? new Coalescing() : null;
  const sockets = await openSession(
    { group, port, localIp, loopback, ...(bufferBytes === undefined ? {} : { bufferBytes }) },
    (bytes, from, now, body) => {
      heardAt = now;
      if (session && sockets.lost !== session.overflowed) session.onOverflow(sockets.lost);
      session?.onDatagram(bytes, from, now, body);
      coalescing?.heard(now);
    },
    (error) => session?.fail(fail('socket-failed', `UDP port ${port}: ${messageOf(error)}`, undefined, { cause: error })),
  ).catch(async (error: unknown) => {
    await sink.abort();
    throw error;
  });
  options.onEvent?.({ type: 'bound', receiveBufferBytes: sockets.receiveBufferBytes });
  let lastSent = Promise.resolve();
  const live = new ClientSession(options, host.monotonicMs(), (datagram) => {
    // what does not go out is asked for again, like what gets lost on the way
    lastSent = new Promise((resolve) => sockets.send(datagram, group, () => resolve()));
  });
  session = live;
  const poller = setInterval(() => {
    const now = host.monotonicMs();
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
    live.poll(host.monotonicMs());
    return await live.done;
  } finally {
    clearInterval(poller);
    coalescing?.stop();
    await lastSent;
    await sockets.close();
  }
}

/**
 * Many clients of one machine, each with a 127.x address of its own, that share one socket per session for what is
 * sent to the group: a datagram is received once, however many listen. For emulated testbeds.
 */
export type ClientHub = {
  /**
   * Receives one file as the client at `localIp` (loopback only). One that fails or is aborted leaves at once, the others go on.
   * Rejects as receiveImage does; 'address-in-use' when this address takes part in the session already.
   */
  receive(options: ReceiveOptions): Promise<ReceiveResult>;
  /** Fails every client that is still there, and resolves when all sockets are closed. */
  close(): Promise<void>;
};

/** A hub has few buffers per client, so that many clients fit. */
const HUB_BUFFERS = 8;
/** Clients that hear each other at the same instant must not all speak at the same instant. */
const HUB_JITTER_MS = 50;

export function createClientHub(host: ReceiveHost = systemHost): ClientHub {
  const channels = new Map<string, { opening: Promise<Channel>; users: number }>();
  const running = new Set<ClientSession>();
  const closings = new Set<Promise<void>>();
  const receive = async (options: ReceiveOptions): Promise<ReceiveResult> => {
    const key = `${options.group}:${options.port}`;
    const entry = channels.get(key) ?? { opening: openChannel(options, host), users: 0 };
    channels.set(key, entry);
    entry.users++; // before any await, so that the channel cannot close under us
    try {
      const channel = await entry.opening;
      return await channel.receive(withHubProfile(options), running);
    } catch (error) {
      await options.sink.abort();
      throw error;
    } finally {
      if (--entry.users === 0) {
        channels.delete(key);
        const closing = entry.opening.then(
          (channel) => channel.close(),
          () => undefined,
        );
        closings.add(closing);
        await closing;
        closings.delete(closing);
      }
    }
  };
  const close = async (): Promise<void> => {
    const ends = [...running].map((session) => session.done.catch(() => undefined));
    for (const session of running) session.fail(fail('hub-closed', `the client at ${session.localIp} was stopped`));
    await Promise.all(ends);
    await Promise.all(closings);
  };
  return { receive, close };
}

function withHubProfile(options: ReceiveOptions): ReceiveOptions {
  return { ...options, profile: { maxBuffers: HUB_BUFFERS, jitterMs: HUB_JITTER_MS, ...options.profile } };
}

type Channel = {
  receive(options: ReceiveOptions, running: Set<ClientSession>): Promise<ReceiveResult>;
  close(): Promise<void>;
};

/** One session's shared socket and its clients. */
async function openChannel({ group, port, localIp }: ReceiveOptions, host: ReceiveHost): Promise<Channel> {
  const sessions = new Set<ClientSession>();
  const members = new Set<string>();
  let lost = 0;
  const toAll: DatagramHandler = (bytes, from, now, body) => {
    if (members.has(from.address)) return;
    if (listener.lost !== lost) for (const session of sessions) session.onOverflow(listener.lost);
    lost = listener.lost;
    if (isBlock(bytes)) {
      for (const session of sessions) session.onDatagram(bytes, from, now, body);
      return;
    }
    const envelope = decode(bytes);
    if (envelope) for (const session of sessions) session.onEnvelope(envelope, from, now);
  };
  // What one member asks for the others hear at once: through the socket it would come behind all the blocks that
  // wait there, and by then everybody would have asked for the same.
  const toOthers = (datagram: Buffer, sender: string): void => {
    const envelope = decode(datagram);
    if (!envelope) return;
    const now = host.monotonicMs();
    for (const session of sessions) if (session.localIp !== sender) session.onEnvelope(envelope, { address: sender, port }, now);
  };
  const failAll = (error: Error): void => {
    for (const session of sessions)
      session.fail(fail('socket-failed', `${group}:${port}: ${messageOf(error)}`, undefined, { cause: error }));
  };
  const listener = await openGroupListener({ group, port, localIp, loopback: true }, toAll, failAll);
  const poller = setInterval(() => {
    const now = host.monotonicMs();
    for (const session of sessions) session.poll(now);
  }, POLL_MS);
  const receive = async (options: ReceiveOptions, running: Set<ClientSession>): Promise<ReceiveResult> => {
    let session: ClientSession | null = null;
    const sockets = await openSender(
      options,
      (bytes, from, now, body) => session?.onDatagram(bytes, from, now, body),
      (error) => session?.fail(error),
    );
    const send = sender(sockets, group, (datagram) => toOthers(datagram, options.localIp));
    members.add(options.localIp);
    try {
      options.onEvent?.({ type: 'bound', receiveBufferBytes: listener.receiveBufferBytes });
      const live = new ClientSession(options, host.monotonicMs(), send.send);
      session = live;
      sessions.add(live);
      running.add(live);
      live.poll(host.monotonicMs());
      try {
        return await live.done;
      } finally {
        sessions.delete(live);
        running.delete(live);
        await send.flushed();
      }
    } finally {
      members.delete(options.localIp);
      await sockets.close();
    }
  };
  const close = (): Promise<void> => {
    clearInterval(poller);
    return listener.close();
  };
  return { receive, close };
}

function openSender(options: ReceiveOptions, onDatagram: DatagramHandler, onError: (error: Error) => void): Promise<SessionSockets> {
  const { group, port, localIp } = options;
  return openLoopbackSender({ group, port, localIp, loopback: true }, onDatagram, onError);
}

function sender(
  sockets: SessionSockets,
  group: string,
  onSent: (datagram: Buffer) => void,
): { send: (datagram: Buffer) => void; flushed: () => Promise<void> } {
  let last = Promise.resolve();
  const send = (datagram: Buffer): void => {
    last = new Promise((resolve) => sockets.send(datagram, group, () => resolve()));
    onSent(datagram);
  };
  return { send, flushed: () => last };
}
