import type { Writable } from 'node:stream';
import type { Outcome } from '../../events/outcome.js';
import { say } from '../../util/say.js';

/** Prints the lines of nodes: in the order of the selection, as far as they come within `patienceMs` of each other. */
export type ResultPrinter = { add(outcome: Outcome<unknown>): void; close(): void };

export function openResults(
  nodes: readonly string[],
  linesOf: (outcome: Outcome<unknown>) => string[],
  patienceMs: number,
  out: Writable,
): ResultPrinter {
  const waiting = new Map<string, string[]>();
  const flush = (): void => {
    if (waiting.size === 0) return;
    for (const node of nodes) for (const line of waiting.get(node) ?? []) say(out, line);
    waiting.clear();
  };
  const timer = Number.isFinite(patienceMs) ? setInterval(flush, patienceMs) : undefined;
  return {
    add: (outcome) => void waiting.set(outcome.target, linesOf(outcome)),
    close: () => {
      clearInterval(timer);
      flush();
    },
  };
}
