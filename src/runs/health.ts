import { oldBlame } from './old-blame.js';
import { isAttempt, readHistory, type Attempt, type HistoryLine } from './history.js';

/** What the history says about one node. Rates are over its last `RECENT` attempts. */
export type NodeHealth = {
  node: string;
  /** Runs it took part in, as far as the history goes back. */
  runs: number;
  failures: { step: string; code: string; count: number }[];
  recent: { runs: number; failed: number };
  /** Of recent ones, 0 to 1. */
  failureRate: number;
  /** Loads and saves that failed in a row, up to now. */
  failedInARow: number;
  /** Fails now and then: neither fine nor simply dead. */
  isFlaky: boolean;
  isQuarantined: boolean;
  /** Milliseconds since 1970; null when it never was fine. */
  lastOkAt: number | null;
  lastFailure: { at: number; run: string; step: string; code: string } | null;
  /** Median time in each step, over attempts that left it in good order, milliseconds. */
  medianMs: Record<string, number>;
};

const RECENT = 20;
/** Two failures could be bad luck in a row; with at least one success they are a pattern. */
const FLAKY_FAILURES = 2;
const FLAKY_RATE = 0.1;
/** The commands whose failures count for quarantine: a status asked of a node that is off, or a short wait, says little. */
const QUARANTINE_COMMANDS: ReadonlySet<string> = new Set(['load', 'save']);

/**
 * The health of nodes as the state folder `dir` has it, to be shown: over everybody's runs, but quarantined is only who ours
 * and root's say.
 */
export function readHealth(dir: string, quarantineAfter: number): NodeHealth[] {
  const believed = new Map(believedHealth(dir, quarantineAfter).map((health) => [health.node, health]));
  return healthOf(readHistory(dir, 'everybody'), quarantineAfter).map((health) => {
    const { failedInARow = 0, isQuarantined = false } = believed.get(health.node) ?? {};
    return { ...health, failedInARow, isQuarantined };
  });
}

/** The health of nodes by our own runs and root's: what may be acted upon. */
export function believedHealth(dir: string, quarantineAfter: number): NodeHealth[] {
  return healthOf(readHistory(dir), quarantineAfter);
}

/** What the history says about each node in it, those that fail most first. `quarantineAfter` 0: no quarantine. */
export function healthOf(history: readonly HistoryLine[], quarantineAfter: number): NodeHealth[] {
  const byNode = new Map<string, HistoryLine[]>();
  for (const line of history) {
    const lines = byNode.get(line.node);
    if (lines) lines.push(line);
    else byNode.set(line.node, [line]);
  }
  return [...byNode]
    .map(([node, lines]) => healthOfNode(node, lines, quarantineAfter))
    .sort((a, b) => b.failureRate - a.failureRate || b.recent.failed - a.recent.failed || (a.node < b.node ? -1 : 1));
}

function healthOfNode(node: string, lines: readonly HistoryLine[], quarantineAfter: number): NodeHealth {
  const attempts = lines.filter(isTelling);
  const recent = attempts.slice(-RECENT);
  const failed = recent.filter(({ ok }) => !ok).length;
  const failureRate = recent.length === 0 ? 0 : failed / recent.length;
  const last = attempts.findLast(({ ok }) => !ok);
  const row = failedInARow(lines);
  return {
    node,
    runs: attempts.length,
    failures: countFailures(attempts),
    recent: { runs: recent.length, failed },
    failureRate,
    failedInARow: row,
    isFlaky: failed >= FLAKY_FAILURES && failed < recent.length && failureRate >= FLAKY_RATE,
    isQuarantined: quarantineAfter > 0 && row >= quarantineAfter,
    lastOkAt: attempts.findLast(({ ok }) => ok)?.at ?? null,
    lastFailure: last ? { at: last.at, run: last.run, step: last.step ?? '?', code: last.code ?? '?' } : null,
    medianMs: medianPhases(lines, node),
  };
}

/** What a run that the site, the gateway or another run has spoilt says about a node is nothing. */
function isTelling(line: HistoryLine): line is Attempt {
  return isAttempt(line) && (line.ok || (line.blame ?? oldBlame(line.code)) === 'node');
}

function failedInARow(lines: readonly HistoryLine[]): number {
  let row = 0;
  for (const line of lines) {
    if ('released' in line) row = 0;
    else if (isTelling(line) && QUARANTINE_COMMANDS.has(line.command)) row = line.ok ? 0 : row + 1;
  }
  return row;
}

function countFailures(attempts: readonly Attempt[]): NodeHealth['failures'] {
  const counts = new Map<string, { step: string; code: string; count: number }>();
  for (const { ok, step, code } of attempts) {
    if (ok) continue;
    const key = `${step} ${code}`;
    const entry = counts.get(key) ?? { step: step ?? '?', code: code ?? '?', count: 0 };
    entry.count += 1;
    counts.set(key, entry);
  }
  return [...counts.values()].sort((a, b) => b.count - a.count);
}

/**
 * How long a node is in each step, the median over its last 20 passages that went well, milliseconds; steps it never
 * left in good order are missing. What deadlines can be made of. `command`: only runs of that command.
 */
export function medianPhases(history: readonly HistoryLine[], node: string, command?: string): Record<string, number> {
  const times = new Map<string, number[]>();
  for (const line of history) {
    if (!isAttempt(line) || line.node !== node || (command !== undefined && line.command !== command)) continue;
    for (const [step, ms] of Object.entries(line.phases)) {
      if (!line.ok && line.step === step) continue; // it failed in this one
      const list = times.get(step) ?? [];
      list.push(ms);
      times.set(step, list);
    }
  }
  return Object.fromEntries([...times].map(([step, list]) => [step, median(list.slice(-RECENT))]));
}

/** `medianPhases` of several nodes from the history in the state folder `dir`, which is read once. */
export function readMedianPhases(dir: string, nodes: readonly string[], command?: string): Map<string, Record<string, number>> {
  const wanted = new Map<string, HistoryLine[]>(nodes.map((node) => [node, []]));
  for (const line of readHistory(dir)) wanted.get(line.node)?.push(line);
  return new Map([...wanted].map(([node, lines]) => [node, medianPhases(lines, node, command)]));
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle]! : Math.round((sorted[middle - 1]! + sorted[middle]!) / 2);
}
