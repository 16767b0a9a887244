import { readFileSync } from 'node:fs';

/**
 * Whether this process may use its terminal now: its group is the terminal's foreground group, or it has no controlling
 * terminal. Changes with the shell's `&`, `bg` and `fg`, for which there is no signal. Linux only (/proc); true elsewhere.
 */
export function inForeground(): boolean {
  try {
    const stat = readFileSync('/proc/self/stat', 'latin1');
    const [, , group, , , foreground] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return foreground === '-1' || foreground === group;
  } catch {
    return true;
  }
}
