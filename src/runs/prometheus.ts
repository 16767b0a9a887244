import { readHealth, type NodeHealth } from './health.js';
import type { Host } from '../util/host.js';
import { writeWholeSync } from '../util/whole-file.js';
import { isAttempt, readHistory, type HistoryLine } from './history.js';

type Labels = Readonly<Record<string, string>>;
type Sample = { labels: Labels; value: number };

/**
 * Counters and gauges for the textfile collector of Prometheus, in its text exposition format: attempts and failures
 * by command, node, step and code; when a node last was fine; whether it is flaky, or in quarantine.
 */
export function prometheusText(history: readonly HistoryLine[], health: readonly NodeHealth[], nowMs: number): string {
  const attempts = new Map<string, Sample>();
  const failures = new Map<string, Sample>();
  const lastOk = new Map<string, Sample>();
  for (const line of history) {
    if ('released' in line) continue;
    const { command, node, ok, step, code, at } = line;
    count(attempts, { command, node, result: ok ? 'ok' : 'failed' }, isAttempt(line) ? 1 : line.carried);
    if (!ok) count(failures, { command, node, step: step ?? '', code: code ?? '' }, isAttempt(line) ? 1 : line.carried);
    else
      lastOk.set(JSON.stringify([command, node]), {
        labels: { command, node },
        value: Math.max(at / 1000, lastOk.get(JSON.stringify([command, node]))?.value ?? 0),
      });
  }
  const gauges = (value: (node: NodeHealth) => number): Sample[] =>
    health.map((node) => ({ labels: { node: node.node }, value: value(node) }));
  return [
    ...family('imaging_node_runs_total', 'counter', 'Runs that a node took part in, by how it went.', attempts.values()),
    ...family(
      'imaging_node_failures_total',
      'counter',
      'Failures of a node, by the step it failed in and the code of the failure.',
      failures.values(),
    ),
    ...family('imaging_node_last_success_timestamp_seconds', 'gauge', 'When a node was last fine, in seconds since 1970.', lastOk.values()),
    ...family(
      'imaging_node_failure_ratio',
      'gauge',
      'Share of the last 20 runs of a node that failed.',
      gauges(({ failureRate }) => failureRate),
    ),
    ...family(
      'imaging_node_flaky',
      'gauge',
      '1 when a node fails now and then, else 0.',
      gauges(({ isFlaky }) => Number(isFlaky)),
    ),
    ...family(
      'imaging_node_quarantined',
      'gauge',
      '1 when a node is in quarantine, else 0.',
      gauges(({ isQuarantined }) => Number(isQuarantined)),
    ),
    ...family('imaging_last_run_timestamp_seconds', 'gauge', 'When the last run ended, in seconds since 1970.', [
      { labels: {}, value: nowMs / 1000 },
    ]),
    '',
  ].join('\n');
}

/** Puts the text in its place, whole or not at all: the collector may read at any moment. Throws the system's error. */
export function writePrometheus(path: string, text: string): void {
  writeWholeSync(path, text, { mode: 0o644, sync: false }); // unfinished, it does not end in .prom: the collector does not look at it
}

function count(samples: Map<string, Sample>, labels: Labels, by: number): void {
  const key = JSON.stringify(labels);
  const sample = samples.get(key);
  if (sample) sample.value += by;
  else samples.set(key, { labels, value: by });
}

function family(name: string, type: 'counter' | 'gauge', help: string, samples: Iterable<Sample>): string[] {
  return [
    `# HELP ${name} ${help}`,
    `# TYPE ${name} ${type}`,
    ...[...samples].map(({ labels, value }) => `${name}${labelText(labels)} ${value}`),
  ];
}

function labelText(labels: Labels): string {
  const pairs = Object.entries(labels).map(
    ([name, value]) => `${name}="${value.replace(/[\\"\n]/g, (char) => (char === '\n' ? '\\n' : `\\${char}`))}"`,
  );
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}

/** `stateDir`: the folder of runs; `prometheusFile`: null when there is to be none; `quarantineAfter`: 0 for never. */
export type MetricsPlace = { stateDir: string; prometheusFile: string | null; quarantineAfter: number };

/** Brings the file for Prometheus up to date, when there is to be one. Throws the system's error. */
export function putMetrics({ prometheusFile, stateDir, quarantineAfter }: MetricsPlace, host: Pick<Host, 'now'>): void {
  if (prometheusFile === null) return;
  writePrometheus(prometheusFile, prometheusText(readHistory(stateDir, 'everybody'), readHealth(stateDir, quarantineAfter), host.now()));
}
