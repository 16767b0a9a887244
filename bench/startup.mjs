// Start-up: imaging-nodes 1-12 against an empty node process, in turn. Budget: at most twice its CPU.
import { bin, measure, pair, print } from './measure.mjs';

const { a, b, cpuRatio } = await pair(
  11,
  () => measure(process.execPath, [bin('imaging-nodes'), '1-12']),
  () => measure(process.execPath, ['-e', '0']),
);
print('start-up', [
  `imaging-nodes 1-12: ${(a.cpuS * 1000).toFixed(0)} ms CPU, ${(a.wallS * 1000).toFixed(0)} ms wall`,
  `node -e 0:          ${(b.cpuS * 1000).toFixed(0)} ms CPU, ${(b.wallS * 1000).toFixed(0)} ms wall`,
  `ratio of CPU:       ${cpuRatio.toFixed(2)} (budget 2)`,
]);
