// Many nodes that cost nothing: built-in shell, scripted frisbee, no boot time, testbed in another process.
// What is left is this tool's own: CPU per node should not grow with their number, memory should stay small.
// Marginal: the CPU time that each further node costs, between one count and the next (start-up taken out).
// BENCH_NODES: the counts; BENCH_RUNS: runs of each, of which the median is shown.
import { bin, measure, median, print, testbed } from './measure.mjs';

const counts = (process.env.BENCH_NODES ?? '10,100,1000').split(',').map(Number);
const before = new Map();
print('nodes that cost nothing', ['command        nodes   wall s   CPU s   CPU ms/node   marginal   RSS MB   exit']);
for (const count of counts) {
  const bed = await testbed(count, ['--shell', 'builtin', '--frisbee', 'scripted', '--boot', '0', '--on', '--size', '8']);
  const runs = Number(process.env.BENCH_RUNS ?? (count > 500 ? 1 : 3));
  for (const [name, args] of [
    ['status', []],
    ['load', ['--progress', 'quiet']],
    ['wait', ['--progress', 'quiet', '-s']],
  ]) {
    const results = [];
    for (let i = 0; i < runs; i += 1)
      results.push(await measure(process.execPath, [bin(`imaging-${name}`), ...args, `1-${count}`], { env: bed.env }));
    const of = (key) => median(results.map((one) => one[key]));
    const last = before.get(name);
    const marginal = last ? (((of('cpuS') - last.cpuS) * 1000) / (count - last.count)).toFixed(2) : '-';
    before.set(name, { count, cpuS: of('cpuS') });
    const row = `${name.padEnd(12)} ${String(count).padStart(7)} ${of('wallS').toFixed(2).padStart(8)} ${of('cpuS').toFixed(2).padStart(7)} ${((of('cpuS') * 1000) / count).toFixed(2).padStart(13)} ${marginal.padStart(10)} ${of('rssMB').toFixed(0).padStart(8)} ${results
      .map((one) => one.code)
      .join(',')
      .padStart(6)}`;
    console.log(row);
  }
  await bed.stop();
}
