import { createHmac } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';

/**
 * Where a process number means something: this boot of this machine, and this pid namespace, as containers share the boot
 * with their host. Host names say nothing of that: two machines may have the same one.
 */
export type Machine = {
  /**
   * The same after a reboot; machines that were cloned may share it. Derived from the machine id, which is nobody else's
   * business; empty where there is none.
   */
  id: string;
  bootId: string;
  /** Number of the pid namespace; empty where it cannot be told. */
  pidNamespace: string;
};

let known: Machine | null = null;

/** The machine that this process runs on. */
export function thisMachine(): Machine {
  known ??= {
    id: machineId(['/etc/machine-id', '/var/lib/dbus/machine-id']),
    bootId: orEmpty(() => readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim()),
    pidNamespace: orEmpty(() => /\d+/.exec(readlinkSync('/proc/self/ns/pid'))?.[0] ?? ''),
  };
  return known;
}

/** What stands for the machine id in the first of these files that has one; empty when none has. */
export function machineId(files: readonly string[]): string {
  for (const file of files) {
    const id = orEmpty(() => readFileSync(file, 'latin1').trim());
    if (/^[0-9a-f]{32}$/.test(id)) return createHmac('sha256', id).update('imaging: machine').digest('hex').slice(0, 32);
  }
  return '';
}

/** Name of a machine up to its first dot, of letters, digits, `-` and `_` only, so that it fits into file names; never empty. */
export function shortName(hostname: string): string {
  const first = hostname.split('.').find((label) => label !== '') ?? '';
  return first.replace(/[^A-Za-z0-9_-]/g, '-').slice(0, 63) || 'unnamed';
}

function orEmpty(read: () => string): string {
  try {
    return read();
  } catch {
    return '';
  }
}
