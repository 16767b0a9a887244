import type { ServerEvent } from '../frisbee/server-events.js';
import { startServer, type FrisbeeServer } from '../frisbee/server.js';
import { Failure, UserError } from '../util/errors.js';
import type { Host } from '../util/host.js';
import type { ImageSession, SessionOptions } from './image-session.js';

/**
 * Sends the image with the built-in server, on the first slot whose port is free: the exclusive bind is the reservation,
 * so concurrent loads never share a slot, and a killed one leaves none taken.
 */
export async function startEmbeddedSession(options: SessionOptions, host: Host): Promise<ImageSession> {
  for (const slot of options.slots) {
    try {
      return await startOnSlot(options, slot, host);
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      if (error.code !== 'address-in-use') throw new UserError('environment', error.message, error.hint, { cause: error });
    }
  }
  throw new UserError('environment', `no free slot: all ${options.slots.length} ports from ${options.slots[0]?.port} are taken`, 'wait for other loads to end, or raise networking.pattern_size');
}

async function startOnSlot(options: SessionOptions, slot: { group: string; port: number }, host: Host): Promise<ImageSession> {
  const { imagePath, localIp, rateBps, loopback, emit } = options;
  const lastHeard = new Map<string, number>();
  let fail: (error: Error) => void = () => {};
  const failed = new Promise<never>((_, reject) => (fail = reject));
  failed.catch(() => {}); // whoever races it sees it; a load that is over need not
  const onEvent = (event: ServerEvent): void => {
    if ('address' in event) lastHeard.set(event.address, host.monotonicMs() - (event.type === 'progress' ? event.idleMs : 0));
    report(event, slot.port, options, fail);
  };
  const server = await startServer({ imagePath, localIp, rateBps, loopback, ...slot, onEvent });
  emit({ type: 'server.started', engine: 'embedded', ...slot, rateBps, image: imagePath });
  return { ...slot, lastHeardMs: (address) => lastHeard.get(address) ?? null, failed, stop: stopper(server, slot.port, options) };
}

function stopper(server: FrisbeeServer, port: number, { emit }: SessionOptions): () => Promise<void> {
  let stopping: Promise<void> | null = null;
  return () => {
    stopping ??= server.stop().then(({ sentBlocks, repeatedBlocks }) => emit({ type: 'server.stopped', port, sentBlocks, repeatedBlocks }));
    return stopping;
  };
}

function report(event: ServerEvent, port: number, { emit, nodeOf }: SessionOptions, fail: (error: Error) => void): void {
  switch (event.type) {
    case 'join':
      if (!event.again) emit({ type: 'server.join', node: nodeOf(event.address), address: event.address, clientId: event.clientId });
      break;
    case 'leave':
      emit({ type: 'server.leave', node: nodeOf(event.address), address: event.address, clientId: event.clientId });
      break;
    case 'progress':
      emit({ type: 'server.progress', node: nodeOf(event.address), address: event.address, askedBlocks: event.askedBlocks, totalBlocks: event.totalBlocks, idleMs: event.idleMs });
      break;
    case 'rate':
      emit({ type: 'server.rate', port, rateBps: event.rateBps, sentBlocks: event.sentBlocks, repeatedBlocks: event.repeatedBlocks, reason: event.reason });
      break;
    case 'join-refused':
      emit({ type: 'run.warning', text: `${nodeOf(event.address) ?? event.address} was refused: the image is not a multiple of 1 MiB` });
      break;
    case 'failed':
      fail(new Failure(event.code, event.message, event.hint ?? undefined));
      break;
    case 'idle': // it ends when we stop it, never by itself
  }
}
