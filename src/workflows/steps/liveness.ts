import { connect } from 'node:net';
import type { InventoryNode } from '../../inventory/inventory.js';
import { sleep, withDeadline } from '../../util/abort.js';
import { systemCode } from '../../util/errors.js';
import type { Pinger } from './ping.js';
import { fail } from '../failures.js';

/** A way to see whether some system runs on a node. */
export type Probe = 'telnet' | 'ssh' | 'ping';

/** `refused`: the node says that nothing is there; `silent`: nothing came back, which a single lost packet does as well. */
export type Answer = 'yes' | 'refused' | 'silent';

export type LivenessOptions = {
  telnetPort: number;
  sshPort: number;
  /** Null: no ping probe. */
  pinger: Pinger | null;
  /** How long one probe may take, in milliseconds. */
  probeTimeoutMs: number;
  signal: AbortSignal;
};

/** Something that answered before a reset; `gone()` resolves once it has surely stopped. */
export type Sign = { probe: Probe; gone(signal: AbortSignal): Promise<void>; release(): void };

const POLL_MS = [50, 100, 200, 400];
/**
 * OpenSSH 9.8 and later counts every connection that does not log in, and shuts this machine out when there are many: an
 * sshd that answered is left alone, and the end of the connection that is held tells. Only a machine that lost power ends nothing.
 */
const SSH_POLL_MS = [1_000, 2_000, 3_000, 4_000];
/** After a silence, which no sshd has counted. */
const AGAIN_MS = 400;
/** How soon a held connection asks whether its machine is still there; one that has booted meanwhile ends it. */
const KEEPALIVE_MS = 1_000;
/** So many silences in a row are no lost packets. */
const SILENCES = 3;

/** Tries every probe at once and returns the ones that answer: the proof that a reset happened is that each goes away. */
export async function takeLiveness(node: InventoryNode, options: LivenessOptions): Promise<Sign[]> {
  const found = await Promise.all([
    tcpSign('telnet', node.control.ip, options.telnetPort, POLL_MS, options),
    tcpSign('ssh', node.control.ip, options.sshPort, SSH_POLL_MS, options),
    pingSign(node.control.ip, options),
  ]);
  return found.filter((sign) => sign !== null);
}

/**
 * A TCP server on the node. The connection is kept: a system that goes down in order closes it, and that is the moment
 * to look again; one that loses power does not, so it is looked at all the time.
 */
async function tcpSign(
  probe: 'telnet' | 'ssh',
  ip: string,
  port: number,
  pollMs: readonly number[],
  options: LivenessOptions,
): Promise<Sign | null> {
  const held = await tryConnect(ip, port, options.probeTimeoutMs, options.signal);
  if (typeof held === 'string') return null;
  const closed = new Promise<void>((resolve) => held.once('close', () => resolve()));
  held.setKeepAlive(true, KEEPALIVE_MS).resume();
  const gone = (signal: AbortSignal): Promise<void> =>
    untilGone((until) => tcpAnswer(ip, port, options.probeTimeoutMs, until), signal, closed, pollMs);
  return { probe, gone, release: () => held.destroy() };
}

async function pingSign(ip: string, { pinger, probeTimeoutMs, signal }: LivenessOptions): Promise<Sign | null> {
  if (pinger === null) return null;
  const answer = async (until: AbortSignal): Promise<Answer> => {
    const late = (): Error => new Error('no answer');
    const answers = await withDeadline(until, probeTimeoutMs + 1_000, late, (inner) => pinger.answers(ip, inner)).catch(
      (error: unknown) => {
        if (until.aborted) throw error;
        return false;
      },
    );
    return answers ? 'yes' : 'silent';
  };
  return (await answer(signal)) === 'yes' ? { probe: 'ping', gone: (until) => untilGone(answer, until), release: () => {} } : null;
}

/**
 * Resolves once nothing is there any more: refused, or silent several times in a row. `hint`: a good moment to ask again;
 * `pollMs`: the pauses before each question while it answers, the last one for all that follow.
 */
export async function untilGone(
  ask: (signal: AbortSignal) => Promise<Answer>,
  signal: AbortSignal,
  hint: Promise<void> = new Promise(() => {}),
  pollMs: readonly number[] = POLL_MS,
): Promise<void> {
  let silences = 0;
  let hinted = false;
  for (let round = 0; ; round += 1) {
    const pauseMs = pollMs[Math.min(round, pollMs.length - 1)] ?? AGAIN_MS;
    const pause = sleep(silences > 0 ? Math.min(AGAIN_MS, pauseMs) : pauseMs, signal);
    pause.catch(() => {}); // when the hint comes first
    if (hinted) await pause;
    else hinted = await Promise.race([pause.then(() => false), hint.then(() => true)]);
    const answer = await ask(signal);
    signal.throwIfAborted();
    if (answer === 'refused') return;
    silences = answer === 'silent' ? silences + 1 : 0;
    if (silences >= SILENCES) return;
  }
}

/** Resolves once a TCP server answers there. */
export async function untilThere(ip: string, port: number, probeTimeoutMs: number, signal: AbortSignal): Promise<void> {
  for (let round = 0; ; round += 1) {
    await sleep(POLL_MS[Math.min(round, POLL_MS.length - 1)] ?? 400, signal);
    const answer = await tcpAnswer(ip, port, probeTimeoutMs, signal);
    signal.throwIfAborted();
    if (answer === 'yes') return;
  }
}

/** Whether a TCP server answers there right now. */
export async function tcpAnswer(ip: string, port: number, probeTimeoutMs: number, signal: AbortSignal): Promise<Answer> {
  const socket = await tryConnect(ip, port, probeTimeoutMs, signal);
  if (typeof socket === 'string') return socket;
  socket.destroy();
  return 'yes';
}

/** Errors that are this machine's own trouble and say nothing about the node. */
const OWN_TROUBLE = new Set(['EMFILE', 'ENFILE', 'ENOBUFS', 'ENOMEM', 'EADDRNOTAVAIL', 'ENETDOWN', 'ENETUNREACH', 'EACCES', 'EPERM']);

function tryConnect(
  ip: string,
  port: number,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<ReturnType<typeof connect> | 'refused' | 'silent'> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: ip, port });
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
    };
    const giveUp = (answer: 'refused' | 'silent'): void => {
      done();
      socket.destroy();
      resolve(answer);
    };
    const onAbort = (): void => giveUp('silent'); // callers look at their signal
    const timer = setTimeout(() => giveUp('silent'), timeoutMs);
    signal.addEventListener('abort', onAbort, { once: true });
    socket.once('connect', () => {
      done();
      resolve(socket);
    });
    // stays: a kept connection may break at any time
    socket.on('error', (error) => {
      const code = systemCode(error) ?? '';
      if (!OWN_TROUBLE.has(code)) return giveUp(code === 'ECONNREFUSED' || code === 'ECONNRESET' ? 'refused' : 'silent');
      done();
      reject(fail('probe-failed', `cannot look whether ${ip}:${port} answers: ${error.message}`, undefined, { cause: error }));
    });
    if (signal.aborted) onAbort();
  });
}
