import pLimit from 'p-limit';
import type { LoginAuth } from '../ssh/login.js';
import { systemStamp, type SystemStamp } from '../ssh/boot-stamp.js';
import { openTelnet } from '../telnet/session.js';
import type { NodeRun } from './node-steps.js';
import type { AnsweringSystem } from '../events/results.js';
import { sshPatienceMs } from '../ssh/patience.js';
import { pastBoot } from './steps/past-boot.js';
import { Final, retrying, type RetryOptions } from '../engine/retrying.js';
import { fail } from './failures.js';
import { fail as sshFail } from '../ssh/failures.js';

export type WaitOptions = RetryOptions & {
  port: number;
  /** When the node's system was last ended (ms since 1970), or null when nobody knows. */
  lastBoot: (node: string) => Promise<number | null>;
};

export type SshWaitOptions = WaitOptions & { username: string; auth: LoginAuth };

/** A system that let us in; `files`: what those hold that were asked for, one after the other; null when it cannot tell (not Linux). */
export type SystemWithFiles = { system: AnsweringSystem; files: string | null };

/** A connection that is not accepted by then is tried anew; a lost packet costs no more. */
const CONNECT_MS = 5_000;
/** A node's uptime is rounded and read a moment before we look at the clock. */
const CLOCK_SLACK_MS = 50;
/** So long after a reset no old system answers any more, however slowly it goes down. */
const OLD_SYSTEM_MS = 60_000;
/** Key exchanges cost CPU on this side. */
const exchanges = pLimit(32);

/**
 * Waits until a node lets us in by ssh. When the time of its last reset is known, the login must find a system booted
 * after that, so the old system cannot pass for the new one.
 */
export async function waitForSsh(node: NodeRun, options: SshWaitOptions, signal: AbortSignal): Promise<AnsweringSystem> {
  return (await waitForSystem(node, options, [], signal)).system;
}

/** As `waitForSsh`, and reads `files` (absolute paths) over the same login. */
export async function waitForSystem(
  node: NodeRun,
  options: SshWaitOptions,
  files: readonly string[],
  signal: AbortSignal,
): Promise<SystemWithFiles> {
  const lastBoot = pastBoot(node, await options.lastBoot(node.name));
  return retrying(node, { ...options, atLeastMs: sshPatienceMs }, signal, async () => {
    const { boot, text } = await askSystem(node, options, files, signal).catch((error: unknown) => {
      throw mayStillChange(node, lastBoot) ? error : asFinal(error);
    });
    refuseOld(node, boot?.uptimeMs ?? null, lastBoot);
    const system = { via: 'ssh', uptimeMs: boot?.uptimeMs ?? null, bootId: boot?.bootId ?? null } as const;
    return { system, files: boot === null ? null : text };
  });
}

/**
 * One attempt to log in, and what the system says of itself. It is one connection and may last as long as `signal` lets
 * it: servers whose name service or PAM is slow take their time, and OpenSSH 9.8 and later shuts out addresses whose
 * connections do not log in. Rejects as `sshExec` does.
 */
export function askSystem(
  node: NodeRun,
  options: Pick<SshWaitOptions, 'port' | 'username' | 'auth'>,
  files: readonly string[],
  signal: AbortSignal,
): Promise<SystemStamp> {
  const { port, username, auth } = options;
  const turn = <T>(work: () => Promise<T>): Promise<T> => exchanges(work);
  return systemStamp(
    { host: node.target.control.ip, port, username, auth, timeoutMs: Infinity, signal, turn, onSlow: (failure) => node.seen(failure) },
    files,
  );
}

/** Whether the system that answers may be one on its way down. */
function mayStillChange(node: NodeRun, lastBoot: number | null): boolean {
  return lastBoot !== null && node.host.now() - lastBoot <= OLD_SYSTEM_MS;
}

/** What no further attempt at the same system changes. */
function asFinal(error: unknown): unknown {
  return sshFail.is(error, 'ssh-no-algorithm') ? new Final(error) : error;
}

/** Waits until a node's telnetd (the PXE system) answers and runs a command, in a system booted since the last reset. */
export async function waitForTelnet(node: NodeRun, options: WaitOptions, signal: AbortSignal): Promise<AnsweringSystem> {
  const lastBoot = pastBoot(node, await options.lastBoot(node.name));
  return retrying(node, options, signal, async () => {
    const session = await openTelnet({
      host: node.target.control.ip,
      port: options.port,
      connectTimeoutMs: CONNECT_MS,
      firstByteTimeoutMs: Infinity,
      signal,
      onSlow: (failure) => node.seen(failure),
    });
    let uptimeMs: number | null = null;
    const onLine = (line: string): void => {
      const seconds = /^(\d+\.\d+) \d+\.\d+$/.exec(line.trim())?.[1];
      if (seconds !== undefined) uptimeMs = Number(seconds) * 1000;
    };
    try {
      await session.run('cat /proc/uptime', { signal, onLine });
      refuseOld(node, uptimeMs, lastBoot);
      return { via: 'telnet', uptimeMs, bootId: null };
    } finally {
      session.close();
    }
  });
}

/** Throws when the system that answers is, or may be, the one that was there before the last reset. */
function refuseOld(node: NodeRun, uptimeMs: number | null, lastBoot: number | null): void {
  const nowMs = node.host.now();
  const sinceMs = lastBoot === null ? null : nowMs - lastBoot;
  if (uptimeMs === null) {
    // no Linux: nobody can tell. But a system on its way down fails to answer as well
    if (sinceMs === null || sinceMs > OLD_SYSTEM_MS) return;
    throw fail(
      'boot-not-proven',
      `its system does not tell since when it is up, and its reset was only ${Math.round(sinceMs / 1000)} s ago`,
    );
  }
  if (lastBoot !== null && sinceMs !== null && nowMs - uptimeMs < lastBoot - CLOCK_SLACK_MS) {
    throw fail(
      'old-system',
      `the system that answers booted before the reset of ${Math.round(sinceMs / 1000)} s ago: it has not gone down yet`,
      'was the reset ignored? see imaging-status and imaging-reset',
    );
  }
}
