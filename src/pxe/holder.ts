import type { Failure } from '../util/errors.js';
import { printable } from '../util/text.js';
import { ownerOf, type FoundRecord, type OwnerRecord } from './owner-record.js';
import { fail } from './failures.js';

/** Who holds a node. `login` is the owner of the record's file; `at` in milliseconds since 1970. */
export type Holder = Pick<OwnerRecord, 'login' | 'run' | 'host' | 'at'> & { pid: number };

export function holderOf(found: FoundRecord, { run, host, at, process }: OwnerRecord): Holder {
  return { login: ownerOf(found), run, host, at, pid: process.pid };
}

/** `run 2026… of alice (pid 4711 on faraday, since 2026-11-21T01:16:02.000Z)`. */
export function holderPhrase({ run, login, pid, host, at }: Holder): string {
  return printable(`run ${run} of ${login} (pid ${pid}${host === '' ? '' : ` on ${host}`}, since ${new Date(at).toISOString()})`);
}

export function busyFailure(node: string, found: FoundRecord): Failure {
  if (!found.record) return fail('node-busy', `${node} is in the hands of another process`, 'try again');
  return fail(
    'node-busy',
    `${node} is in the hands of ${holderPhrase(holderOf(found, found.record))}`,
    'wait for that run to end (--wait-lock does), or choose other nodes',
  );
}

export function lostFailure(node: string, why: string): Failure {
  return fail(
    'lock-lost',
    `${node} is not this run's any more: ${why}`,
    'was this run stopped for long, or cut off from the folder of next-boot links? it has left the node as it was then; whose it is now decides',
  );
}
