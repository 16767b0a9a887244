import pLimit from 'p-limit';
import type { LoginAuth } from '../ssh/login.js';
import { probeBanner } from '../ssh/banner.js';
import { bootStamp } from '../ssh/boot-stamp.js';
import { openTelnet } from '../telnet/session.js';
import { sleep } from '../util/abort.js';
import { Failure } from '../util/errors.js';
import type { NodeRun } from './fan-out.js';

export type WaitOptions = {
  port: number;
  username: string;
  auth: LoginAuth;
  /** Mean time between two attempts, milliseconds. */
  backoffMs: number;
  /** When the node was last told to boot (ms since 1970), or null when nobody knows. */
  lastBoot: (node: string) => Promise<number | null>;
};

const ATTEMPT_MS = 5_000;
/** Logins cost CPU on this side; banners hardly any. */
const logins = pLimit(32);
const banners = pLimit(256);

/**
 * Waits until a node answers ssh: its banner first, which is cheap, then one real login. When the time of its last reset is
 * known, the login must find a system booted after that, so the old system cannot pass for the new one.
 */
export async function waitForSsh(node: NodeRun, options: WaitOptions, signal: AbortSignal): Promise<string> {
  const address = { host: node.node.control.ip, port: options.port };
  const lastBoot = await options.lastBoot(node.name);
  return retrying(node, options.backoffMs, signal, async () => {
    await banners(() => probeBanner({ ...address, timeoutMs: ATTEMPT_MS, signal }));
    const stamp = await logins(() => bootStamp({ ...address, username: options.username, auth: options.auth, timeoutMs: 2 * ATTEMPT_MS, signal }));
    if (!stamp) return 'ssh OK';
    const bootedAt = node.host.now() - stamp.uptimeMs;
    if (lastBoot !== null && bootedAt < lastBoot - CLOCK_SLACK_MS) {
      const ago = Math.round((node.host.now() - lastBoot) / 1000);
      throw new Failure('ssh-old-system', `the system that answers booted before the reset of ${ago} s ago: it has not gone down yet`, 'was the reset ignored? see imaging-status and imaging-reset');
    }
    return `ssh OK, up ${Math.round(stamp.uptimeMs / 1000)} s`;
  });
}

/** A node's uptime is rounded and read a moment before we look at the clock. */
const CLOCK_SLACK_MS = 500;

/** Waits until a node's telnetd (the PXE system) answers and runs a command. */
export async function waitForTelnet(node: NodeRun, port: number, backoffMs: number, signal: AbortSignal): Promise<string> {
  return retrying(node, backoffMs, signal, async () => {
    const session = await openTelnet({ host: node.node.control.ip, port, connectTimeoutMs: ATTEMPT_MS, firstByteTimeoutMs: ATTEMPT_MS, signal });
    try {
      await session.run('true', { signal, silenceTimeoutMs: ATTEMPT_MS });
      return 'telnet OK';
    } finally {
      session.close();
    }
  });
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
