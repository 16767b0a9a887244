import { connect } from 'node:net';
import type { InventoryNode } from '../inventory/inventory.js';
import { sleep, untilAborted, withDeadline } from '../util/abort.js';
import { Failure } from '../util/errors.js';
import type { Pinger } from './ping.js';

/** A way to see whether some system runs on a node. */
export type Probe = 'telnet' | 'ssh' | 'ping';

export type LivenessOptions = {
  telnetPort: number;
  sshPort: number;
  /** Null: no ping probe. */
  pinger: Pinger | null;
  /** How long one probe may take, in milliseconds. */
  probeTimeoutMs: number;
  signal: AbortSignal;
};

/** Something that answered before a reset; `gone()` resolves once it has been seen not to answer. */
export type Sign = { probe: Probe; gone(signal: AbortSignal): Promise<void>; release(): void };

const POLL_MS = [50, 100, 200, 400];

/** Tries every probe at once and returns the ones that answer: the proof that a reset happened is that each goes away. */
export async function takeLiveness(node: InventoryNode, options: LivenessOptions): Promise<Sign[]> {
  const found = await Promise.all([
    tcpSign('telnet', node.control.ip, options.telnetPort, options),
    tcpSign('ssh', node.control.ip, options.sshPort, options),
    pingSign(node.control.ip, options),
  ]);
  return found.filter((sign) => sign !== null);
}

/**
 * A TCP server on the node. The connection is kept: a system that goes down in order closes it, one that loses power
 * does not, so refused or unanswered new connections count as well.
 */
async function tcpSign(probe: 'telnet' | 'ssh', ip: string, port: number, options: LivenessOptions): Promise<Sign | null> {
  const held = await tryConnect(ip, port, options.probeTimeoutMs, options.signal);
  if (!held) return null;
  const closed = new Promise<void>((resolve) => held.once('close', () => resolve()));
  held.resume();
  return {
    probe,
    gone: (signal) => Promise.race([untilAborted(signal, closed), pollUntil(false, () => tcpAnswers(ip, port, options), signal)]),
    release: () => held.destroy(),
  };
}

async function pingSign(ip: string, { pinger, probeTimeoutMs, signal }: LivenessOptions): Promise<Sign | null> {
  if (pinger === null) return null;
  const answers = (until: AbortSignal): Promise<boolean> => withDeadline(until, probeTimeoutMs + 1_000, () => new Failure('ping-late', 'no answer'), (inner) => pinger.answers(ip, inner)).catch(() => false);
  if (!(await answers(signal))) return null;
  return { probe: 'ping', gone: (until) => pollUntil(false, () => answers(until), until), release: () => {} };
}

/** Resolves once `ask()` gives what is wanted; rejects with the signal's reason. */
export async function pollUntil(wanted: boolean, ask: () => Promise<boolean>, signal: AbortSignal): Promise<void> {
  for (let round = 0; ; round += 1) {
    await sleep(POLL_MS[Math.min(round, POLL_MS.length - 1)] ?? 400, signal);
    if ((await ask()) === wanted) return;
  }
}

/** Whether a TCP server answers there right now. */
export async function tcpAnswers(ip: string, port: number, options: Pick<LivenessOptions, 'probeTimeoutMs' | 'signal'>): Promise<boolean> {
  const socket = await tryConnect(ip, port, options.probeTimeoutMs, options.signal);
  socket?.destroy();
  return socket !== null;
}

function tryConnect(ip: string, port: number, timeoutMs: number, signal: AbortSignal): Promise<ReturnType<typeof connect> | null> {
  return new Promise((resolve) => {
    const socket = connect({ host: ip, port });
    const finish = (value: typeof socket | null): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
      socket.removeAllListeners('connect');
      if (value === null) socket.destroy();
      resolve(value);
    };
    const onAbort = (): void => finish(null);
    const timer = setTimeout(() => finish(null), timeoutMs);
    signal.addEventListener('abort', onAbort, { once: true });
    socket.once('connect', () => finish(socket));
    socket.on('error', () => finish(null)); // stays: a kept connection may break at any time
    if (signal.aborted) onAbort();
  });
}
