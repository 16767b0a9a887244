import type { Blame } from '../util/errors.js';

/**
 * Codes that say nothing about the node, of the versions whose lines of history have no blame. Lines say it themselves
 * since: this list never grows.
 */
const NOT_THE_NODES: ReadonlySet<string> = new Set([
  'bug',
  'usage',
  'refused',
  'environment',
  'node-busy',
  'lock-lost',
  'no-lease',
  'lease-unknown',
  'lock-deadline',
  'pxe-deadline',
  'pxe-busy',
  'pxe-occupied',
  'pxe-permission',
  'pxe-failed',
  'given-up',
  'no-boot-record',
  'no-image-record',
  'no-such-program',
  'no-write-report',
  'telnet-command-too-long',
  'server-ended',
  'server-failed',
  'server-crashed',
  'hub-closed',
  'socket-failed',
  'send-failed',
  'image-unreadable',
  'image-truncated',
  'ndz-unreadable',
  'worker-crashed',
  'verify-impossible',
  'ssh-no-algorithm',
  'disk-half-written',
  'disk-unverified',
  'collector',
  'collect-failed',
  'image-write-failed',
  'probe-failed',
]);

/** Whose fault a failure was in which the line itself does not say it. */
export function oldBlame(code: string | null): Blame {
  return code !== null && NOT_THE_NODES.has(code) ? 'site' : 'node';
}
