import { integer, optional, seconds, windowSize } from '../kinds.js';
import { section } from '../section.js';

/** Deadlines and attempts of nodes. */
// biome-ignore format: a table, a key a line
export const nodes = section('nodes', {
  idleAfterResetMs: { key: 'idle_after_reset', perNode: true, kind: seconds(0), default: '15', unit: 's', status: 'kept', meaning: 'how long the old system may go on answering after a reset before the reset counts as ignored' },
  timeoutBeforeTelnetMs: { key: 'timeout_before_telnet', perNode: true, kind: seconds(1), default: '80', unit: 's', status: 'kept', meaning: 'how long a node may take from its reset until it answers telnet' },
  timeoutBeforeSshMs: { key: 'timeout_before_ssh', perNode: true, kind: seconds(1), default: '300', unit: 's', status: 'new', meaning: 'how long a node may take from its last reset until its new system answers ssh, where a load waits for that' },
  statusTimeoutMs: { key: 'status_default_timeout', kind: seconds(0.1), default: '5', unit: 's', status: 'kept', meaning: 'how long a CMC card may take to answer one request' },
  stallTimeoutMs: { key: 'stall_timeout', perNode: true, kind: seconds(1), default: '30', unit: 's', status: 'new', meaning: 'how long a node may be silent in the middle of a transfer, neither printing nor asking for data, before it counts as dead' },
  loadTimeoutMs: { key: 'load_default_timeout', perNode: true, kind: seconds(1), default: '300', unit: 's', status: 'kept', meaning: 'how long one attempt at loading a node may take, at least: large images and slow nodes get more; -t is for all attempts together' },
  passes: { key: 'passes', kind: integer(1, 100), default: '2', status: 'new', meaning: 'how many times a node is tried in all by load and save, each time harder: off and on, longer deadlines; --passes overrides' },
  retryPauseMs: { key: 'retry_pause', kind: seconds(0.01), default: '3', unit: 's', status: 'new', meaning: 'mean time before a node that failed is tried again; each is 0.5 to 1.5 times that' },
  /** Null: all at once. */
  bootWindow: { key: 'boot_window', kind: optional(windowSize), default: '', status: 'new', meaning: 'how resets of load and save are spread, such as 20/2s: at most 20 nodes in 2 seconds; --window overrides' },
  saveTimeoutMs: { key: 'save_default_timeout', kind: seconds(1), default: '300', unit: 's', status: 'kept', meaning: 'how long one node may take in all to be saved; -t overrides' },
  waitTimeoutMs: { key: 'wait_default_timeout', kind: seconds(0.1), default: '60', unit: 's', status: 'kept', meaning: 'how long imaging-wait waits for a node; -t overrides' },
  /** 0: never. */
  quarantineAfter: { key: 'quarantine_after', kind: integer(0, 1000), default: '0', status: 'new', meaning: 'how many failed loads and saves in a row put a node in quarantine, where load and save skip it; 0: never' },
});
