import type { TargetKind } from '../events/work.js';

/** `1 node`, `3 drives`. */
export function counted(kind: TargetKind, count: number): string {
  return `${count} ${noun(kind, count)}`;
}

/** What so many targets are called. */
export function noun(kind: TargetKind, count: number): string {
  return count === 1 ? kind : `${kind}s`;
}
