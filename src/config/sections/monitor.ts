import { seconds, words } from '../kinds.js';
import { section } from '../section.js';

/** imaging-monitor. */
// biome-ignore format: a table, a key a line
export const monitor = section('monitor', {
  cycleMs: { key: 'cycle', kind: seconds(0.1), default: '2', unit: 's', status: 'new', meaning: 'mean time between two looks of imaging-monitor at a node; --cycle overrides' },
  loginCycleMs: { key: 'login_cycle', kind: seconds(1), default: '60', unit: 's', status: 'new', meaning: 'how often imaging-monitor asks a node to which nothing seems to have happened what it runs' },
  listenNames: { key: 'listen_names', kind: words, default: '', status: 'new', meaning: 'the names that imaging-monitor --listen may be asked for by (Host), besides localhost, addresses and the HOST of --listen: those of this machine, or of a proxy before it' },
});
