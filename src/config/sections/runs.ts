import { integer, optional, path } from '../kinds.js';
import { section } from '../section.js';

/** How runs are kept. */
// biome-ignore format: a table, a key a line
export const runs = section('runs', {
  /** Null: to be chosen, see `runsDir`. */
  dir: { key: 'dir', kind: optional(path), default: '', status: 'new', meaning: 'where the journals and logs of runs go; empty: /var/lib/imaging when it can be written, else ~/.local/state/imaging' },
  keep: { key: 'keep', kind: integer(1, 1_000_000), default: '200', status: 'new', meaning: 'how many runs of each command are kept' },
  /** 0: for ever. */
  keepDays: { key: 'keep_days', kind: integer(0, 36_500), default: '90', unit: 'days', status: 'new', meaning: 'how long runs are kept; 0: as long as runs.keep says' },
  prometheusFile: { key: 'prometheus_file', kind: optional(path), default: '', status: 'new', meaning: 'where each run leaves counters and gauges for the textfile collector of Prometheus, a name ending in .prom; empty: nowhere' },
});
