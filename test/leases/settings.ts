import { setMaxListeners } from 'node:events';
import type { LeaseSettings } from '../../src/leases/backend.js';

/** Settings of a backend, with nothing but the defaults. */
export function settings(more: Partial<LeaseSettings>): LeaseSettings {
  return {
    backend: 'none',
    file: '/nonexistent/leases.db',
    url: null,
    resourceName: 'r2lab.inria.fr',
    token: null,
    email: null,
    password: null,
    timeoutMs: 10_000,
    verifyTls: true,
    leasesServer: 'faraday.inria.fr',
    leasesPort: 12_346,
    ...more,
  };
}

export const never = new AbortController().signal;
setMaxListeners(0, never);

/** 2026-11-26 14:00 UTC. */
export const AT = Date.UTC(2026, 10, 26, 14);
export const HOUR = 3_600_000;

export function fakeHost(nowMs = AT, env: Record<string, string> = {}) {
  const host = {
    nowMs,
    clockMs: 0,
    env,
    now: () => host.nowMs,
    monotonicMs: () => host.clockMs,
    random: () => 0.5,
    login: () => 'alice',
    /** Lets both clocks run. */
    advance: (ms: number) => {
      host.nowMs += ms;
      host.clockMs += ms;
    },
  };
  return host;
}
