import { printable } from '../util/text.js';
import type { RunState, TargetState } from '../events/reducer.js';

/** `1.5 GB`, `24.0 MB`, `312 B`: decimal units, as disks are sold. */
export function formatBytes(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  const units = ['kB', 'MB', 'GB', 'TB'];
  let value = bytes;
  let unit = -1;
  while (value >= 999.95 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${value.toFixed(1)} ${units[unit]}`;
}

/** `4.2 s`, `1:07`, `1:02:03`. */
export function formatDuration(ms: number): string {
  if (ms < 59_950) return `${(ms / 1000).toFixed(1)} s`;
  const total = Math.round(ms / 1000);
  const [h, m, s] = [Math.floor(total / 3600), Math.floor(total / 60) % 60, total % 60];
  const two = (n: number): string => String(n).padStart(2, '0');
  return h > 0 ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}

/** A bar `width` characters wide, such as `#####.....`, readable without colours or Unicode. */
export function bar(fraction: number, width: number): string {
  const filled = Math.round(Math.min(1, Math.max(0, fraction)) * width);
  return '#'.repeat(filled) + '.'.repeat(Math.max(0, width - filled));
}

/** Share of the whole run that is done, 0 to 1: targets that are written count whole, the others by their bytes. */
export function overallFraction(state: RunState): number {
  if (state.targets.size === 0) return 1;
  let sum = 0;
  for (const target of state.targets.values()) sum += target.facts?.disk === 'judged' ? 1 : targetFraction(target);
  return sum / state.targets.size;
}

export function targetFraction({ phase, doneBytes, totalBytes }: TargetState): number {
  if (phase === 'done') return 1;
  return totalBytes > 0 ? Math.min(1, doneBytes / totalBytes) : 0;
}

/** `123.4 MB, 20.1 MB/s`: what a target's step has moved, and its mean rate since the step began. */
export function bytesAndRate({ doneBytes, stepAt }: TargetState, nowMs: number): string {
  const elapsedMs = stepAt === null ? 0 : nowMs - stepAt;
  return elapsedMs > 0 ? `${formatBytes(doneBytes)}, ${formatBytes(Math.round(doneBytes / (elapsedMs / 1000)))}/s` : formatBytes(doneBytes);
}

/** Cuts to `width` columns, marking the cut; no peer can paint our screen. */
export function fit(text: string, width: number): string {
  const clean = printable(text);
  return clean.length <= width ? clean : width <= 1 ? clean.slice(0, width) : `${clean.slice(0, width - 1)}~`;
}
