import pLimit from 'p-limit';
import type { LoginAuth } from '../ssh/login.js';
import { probeBanner } from '../ssh/banner.js';
import { systemStamp, type SystemStamp } from '../ssh/boot-stamp.js';
import { openTelnet } from '../telnet/session.js';
import { sleep } from '../util/abort.js';
import { Failure } from '../util/errors.js';
import type { NodeRun } from './fan-out.js';

export type WaitOptions = {
  port: number;
  /** Mean time between two attempts, milliseconds. */
  backoffMs: number;
  /** When the node's system was last ended (ms since 1970), or null when nobody knows. */
  lastBoot: (node: string) => Promise<number | null>;
};

export type SshWaitOptions = WaitOptions & { username: string; auth: LoginAuth };

/** A system that answered ssh. */
export type AnsweringSystem = { /** For people. */ text: string; /** What `files` hold, one after the other; null when it cannot tell (not Linux). */ files: string | null };

const ATTEMPT_MS = 5_000;
/** A node's uptime is rounded and read a moment before we look at the clock. */
const CLOCK_SLACK_MS = 50;
/** So long after a reset no old system answers any more, however slowly it goes down. */
const OLD_SYSTEM_MS = 60_000;
/** Logins cost CPU on this side; banners hardly any. */
const logins = pLimit(32);
const banners = pLimit(256);

/**
 * Waits until a node answers ssh: its banner first, which is cheap, then one real login. When the time of its last reset is
 * known, the login must find a system booted after that, so the old system cannot pass for the new one.
 */
export async function waitForSsh(node: NodeRun, options: SshWaitOptions, signal: AbortSignal): Promise<string> {
  return (await waitForSystem(node, options, [], signal)).text;
}

/** As `waitForSsh`, and reads `files` (absolute paths) over the same login. */
export async function waitForSystem(node: NodeRun, options: SshWaitOptions, files: readonly string[], signal: AbortSignal): Promise<AnsweringSystem> {
  const lastBoot = await options.lastBoot(node.name);
  return retrying(node, options.backoffMs, signal, async () => {
    const stamp = await askSystem(node, options, files, signal);
    return { text: `ssh OK, ${newSystem(node, stamp.boot?.uptimeMs ?? null, lastBoot)}`, files: stamp.boot === null ? null : stamp.text };
  });
}

/** One attempt to log in: the banner first, which is cheap, then what the system says of itself. Rejects as `probeBanner` and `sshExec` do. */
export async function askSystem(node: NodeRun, options: Pick<SshWaitOptions, 'port' | 'username' | 'auth'>, files: readonly string[], signal: AbortSignal): Promise<SystemStamp> {
  const address = { host: node.node.control.ip, port: options.port };
  await banners(() => probeBanner({ ...address, timeoutMs: ATTEMPT_MS, signal }));
  return logins(() => systemStamp({ ...address, username: options.username, auth: options.auth, timeoutMs: 2 * ATTEMPT_MS, signal }, files));
}

/** Waits until a node's telnetd (the PXE system) answers and runs a command, in a system booted since the last reset. */
export async function waitForTelnet(node: NodeRun, options: WaitOptions, signal: AbortSignal): Promise<string> {
  const lastBoot = await options.lastBoot(node.name);
  return retrying(node, options.backoffMs, signal, async () => {
    const session = await openTelnet({ host: node.node.control.ip, port: options.port, connectTimeoutMs: ATTEMPT_MS, firstByteTimeoutMs: ATTEMPT_MS, signal });
    let uptimeMs: number | null = null;
    const onLine = (line: string): void => {
      const seconds = /^(\d+\.\d+) \d+\.\d+$/.exec(line.trim())?.[1];
      if (seconds !== undefined) uptimeMs = Number(seconds) * 1000;
    };
    try {
      await session.run('cat /proc/uptime', { signal, silenceTimeoutMs: ATTEMPT_MS, onLine });
      return `telnet OK, ${newSystem(node, uptimeMs, lastBoot)}`;
    } finally {
      session.close();
    }
  });
}

/** How long the system has been up. Throws when it is, or may be, the one that was there before the last reset. */
function newSystem(node: NodeRun, uptimeMs: number | null, lastBoot: number | null): string {
  const nowMs = node.host.now();
  const sinceMs = lastBoot === null ? null : nowMs - lastBoot;
  if (uptimeMs === null) {
    // no Linux: nobody can tell. But a system on its way down fails to answer as well
    if (sinceMs === null || sinceMs > OLD_SYSTEM_MS) return 'when it booted is not known';
    throw new Failure('boot-not-proven', `its system does not tell since when it is up, and its reset was only ${Math.round(sinceMs / 1000)} s ago`);
  }
  if (lastBoot !== null && sinceMs !== null && nowMs - uptimeMs < lastBoot - CLOCK_SLACK_MS) {
    throw new Failure('old-system', `the system that answers booted before the reset of ${Math.round(sinceMs / 1000)} s ago: it has not gone down yet`, 'was the reset ignored? see imaging-status and imaging-reset');
  }
  return `up ${Math.round(uptimeMs / 1000)} s`;
}

/**
 * Attempts until one works: the first again soon, then ever more slowly up to `backoffMs` on average, with jitter so that
 * many nodes do not knock in step. What was seen last goes into the message of the deadline that ends it.
 */
export async function retrying<T>(node: NodeRun, backoffMs: number, signal: AbortSignal, attempt: () => Promise<T>): Promise<T> {
  let pauseMs = Math.min(100, backoffMs);
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof Failure)) throw error;
      node.seen(error);
    }
    await sleep(pauseMs * (0.5 + node.host.random()), signal);
    pauseMs = Math.min(backoffMs, pauseMs * 1.5);
  }
}
