import { connect } from 'node:net';
import type { InventoryNode } from '../inventory/inventory.js';
import { untilAborted, sleep } from '../util/abort.js';
import type { Host } from '../util/host.js';

/** A way to see whether some system runs on a node. */
export type Probe = 'telnet' | 'ssh' | 'ping';

export type LivenessOptions = {
  host: Host;
  telnetPort: number;
  sshPort: number;
  /** Program and arguments of the ping probe, `{ip}` in them for the address; null: no such probe. Its exit status tells. */
  pingCommand: readonly string[] | null;
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
    gone: (signal) => Promise.race([untilAborted(signal, closed), pollUntilFalse(() => tcpAnswers(ip, port, options), signal)]),
    release: () => held.destroy(),
  };
}

async function pingSign(ip: string, options: LivenessOptions): Promise<Sign | null> {
  const { pingCommand } = options;
  if (pingCommand === null || !(await pings(pingCommand, ip, options))) return null;
  return { probe: 'ping', gone: (signal) => pollUntilFalse(() => pings(pingCommand, ip, options), signal), release: () => {} };
}

/** Resolves once `answers()` is false; rejects with the signal's reason. */
export async function pollUntilFalse(answers: () => Promise<boolean>, signal: AbortSignal): Promise<void> {
  for (let round = 0; ; round += 1) {
    await sleep(POLL_MS[Math.min(round, POLL_MS.length - 1)] ?? 400, signal);
    if (!(await answers())) return;
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

function pings(command: readonly string[], ip: string, options: LivenessOptions): Promise<boolean> {
  const [program = '', ...args] = command.map((word) => word.replaceAll('{ip}', ip));
  return new Promise((resolve) => {
    const child = options.host.spawn(program, args, { stdio: 'ignore' });
    const finish = (value: boolean): void => {
      clearTimeout(timer);
      options.signal.removeEventListener('abort', stop);
      resolve(value);
    };
    const stop = (): void => void child.kill('SIGKILL');
    const timer = setTimeout(stop, options.probeTimeoutMs + 1_000);
    options.signal.addEventListener('abort', stop, { once: true });
    child.once('error', () => finish(false)); // no such program: this probe has nothing to say
    child.once('close', (code) => finish(code === 0));
  });
}
