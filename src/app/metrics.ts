import { readHealth } from '../runs/health.js';
import { readHistory } from '../runs/history.js';
import { prometheusText, writePrometheus } from '../runs/prometheus.js';
import type { Host } from '../util/host.js';
import type { RunSettings } from './node-workflow.js';

/** Brings the file for Prometheus up to date, when there is to be one. Throws the system's error. */
export function putMetrics(
  { prometheusFile, stateDir, quarantineAfter }: Pick<RunSettings, 'prometheusFile' | 'stateDir' | 'quarantineAfter'>,
  host: Pick<Host, 'now'>,
): void {
  if (prometheusFile === null) return;
  writePrometheus(prometheusFile, prometheusText(readHistory(stateDir, 'everybody'), readHealth(stateDir, quarantineAfter), host.now()));
}
