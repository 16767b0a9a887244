import type { ServerEvent } from '../../frisbee/server-events.js';
import { startServer, type FrisbeeServer } from '../../frisbee/server.js';
import { Failure, UserError } from '../../util/errors.js';
import type { Host } from '../../util/host.js';
import type { ImageSession, SessionOptions } from './image-session.js';
import { SessionJoins } from './joins.js';
import { fail as frisbeeFail } from '../../frisbee/failures.js';
import { failureFrom } from '../../util/failures.js';

/** The server tells the progress of one client less often; more is a flood of clients under one address. */
const PROGRESS_MS = 150;

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
      if (!frisbeeFail.is(error, 'address-in-use')) throw new UserError('environment', error.message, error.hint, { cause: error });
    }
  }
  throw new UserError(
    'environment',
    `no free slot: all ${options.slots.length} ports from ${options.slots[0]?.port} are taken`,
    'wait for other loads to end, or raise networking.pattern_size',
  );
}

async function startOnSlot(options: SessionOptions, slot: { group: string; port: number }, host: Host): Promise<ImageSession> {
  const { imagePath, localIp, rateBps, loopback, emit } = options;
  const lastHeard = new Map<string, number>();
  const lastProgress = new Map<string, number>();
  const joins = new SessionJoins(options);
  let end: (error: Error) => void = () => {};
  const failed = new Promise<never>((_, reject) => (end = reject));
  failed.catch(() => {}); // whoever races it sees it; a load that is over need not
  const onEvent = (event: ServerEvent): void => {
    if (!('address' in event)) return report(event, slot.port, options, end);
    const { address } = event;
    const [node, nowMs] = [options.nodeOf(address), host.monotonicMs()];
    if (node !== null) lastHeard.set(address, nowMs - (event.type === 'progress' ? event.idleMs : 0));
    if (event.type !== 'progress') return joins.onEvent(event);
    if (node === null || nowMs - (lastProgress.get(address) ?? -Infinity) < PROGRESS_MS) return;
    lastProgress.set(address, nowMs);
    const { askedBlocks, totalBlocks, idleMs } = event;
    emit({ type: 'server.progress', target: node, address, askedBlocks, totalBlocks, idleMs });
  };
  const server = await startServer({ imagePath, localIp, rateBps, loopback, ...slot, onEvent });
  emit({ type: 'server.started', engine: 'embedded', ...slot, rateBps, image: imagePath });
  return { ...slot, lastHeardMs: (address) => lastHeard.get(address) ?? null, failed, stop: stopper(server, slot.port, options, joins) };
}

function stopper(server: FrisbeeServer, port: number, { emit }: SessionOptions, joins: SessionJoins): () => Promise<void> {
  let stopping: Promise<void> | null = null;
  return () => {
    stopping ??= server.stop().then(({ sentBlocks, repeatedBlocks }) => {
      joins.end(port);
      emit({ type: 'server.stopped', port, sentBlocks, repeatedBlocks });
    });
    return stopping;
  };
}

function report(
  event: Exclude<ServerEvent, { address: string }>,
  port: number,
  { emit }: SessionOptions,
  end: (error: Error) => void,
): void {
  switch (event.type) {
    case 'rate':
      emit({
        type: 'server.rate',
        port,
        rateBps: event.rateBps,
        sentBlocks: event.sentBlocks,
        repeatedBlocks: event.repeatedBlocks,
        reason: event.reason,
      });
      break;
    case 'failed':
      end(failureFrom(event));
      break;
    case 'idle': // it ends when we stop it, never by itself
  }
}
