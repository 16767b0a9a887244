import { renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { currentHistory, healthFolder, isAttempt, oldHistories, openHistory, readLines, type Carried } from './history.js';

export type HistoryLimits = {
  /** The file that has grown past this is put aside. */
  fileBytes: number;
  /** Of those put aside, the newest that fit into this are kept. */
  oldBytes: number;
};

const LIMITS: HistoryLimits = { fileBytes: 4 << 20, oldBytes: 8 << 20 };

/**
 * Puts our file of the history aside when it has grown large, and removes the oldest of those that were; how many attempts
 * they held is carried over. What fails waits for the next time.
 */
export function rotateHistory(dir: string, nowMs: number, pid: number, limits = LIMITS): void {
  const folder = healthFolder(dir);
  try {
    // a name of its own each time: of two processes that do this at once, neither overwrites what the other put aside
    const current = currentHistory(dir);
    if (statSync(current).size > limits.fileBytes) renameSync(current, current.replace(/jsonl$/, `${nowMs}-${pid}.jsonl`));
    let kept = 0;
    for (const name of oldHistories(dir).reverse()) {
      kept += statSync(join(folder, name)).size;
      if (kept > limits.oldBytes) drop(dir, name, pid);
    }
  } catch {
    // no history yet, or not ours to move
  }
}

function drop(dir: string, name: string, pid: number): void {
  const claimed = join(healthFolder(dir), `${name}.${pid}.dropped`);
  renameSync(join(healthFolder(dir), name), claimed); // of two processes, one fails here
  const counts = new Map<string, Carried>();
  for (const line of readLines(claimed)) {
    if ('released' in line) continue;
    const { at, node, command, ok, step, code } = line;
    const key = JSON.stringify([node, command, ok, step, code]);
    const before = counts.get(key)?.carried ?? 0;
    counts.set(key, { at, node, command, ok, step, code, carried: before + (isAttempt(line) ? 1 : line.carried) });
  }
  const history = openHistory(dir, () => {});
  for (const line of counts.values()) history.add(line);
  history.close();
  rmSync(claimed, { force: true });
}
