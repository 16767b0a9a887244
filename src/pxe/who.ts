import { processIdentity, type Host, type ProcessIdentity } from '../util/host.js';
import type { Machine } from '../util/machine.js';

/** A process and where it runs. `machine` is null in what versions wrote that knew no more than the boot. */
export type Who = { process: ProcessIdentity; machine: Pick<Machine, 'id' | 'pidNamespace'> | null };

/** What tells who we are. */
export type Here = Pick<Host, 'pid' | 'machine' | 'shortHostname'>;

/** Who we are. */
export function ourselves(here: Here): Who {
  const process = processIdentity(here.pid);
  if (!process) throw new Error(`no process ${here.pid} in /proc`);
  const { id, bootId, pidNamespace } = here.machine();
  return { process: { ...process, bootId }, machine: { id, pidNamespace } };
}
