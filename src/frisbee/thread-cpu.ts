import { readFileSync } from 'node:fs';

/** Length of the kernel's accounting tick on every Linux we know. */
const TICK_MS = 10;

/** CPU time this thread has used, in milliseconds with the kernel's resolution of 10; zeros where there is no /proc. */
export function threadCpu(): { userMs: number; systemMs: number } {
  try {
    const stat = readFileSync('/proc/thread-self/stat', 'latin1');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return { userMs: Number(fields[11]) * TICK_MS, systemMs: Number(fields[12]) * TICK_MS };
  } catch {
    return { userMs: 0, systemMs: 0 };
  }
}
