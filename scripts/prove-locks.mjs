// Many loads at once over overlapping nodes of an emulated testbed: never two on a node, no link left, every exit code right.
// Usage: node scripts/prove-locks.mjs [loads, default 50] [nodes, default 12]
import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { bin, testbed } from '../bench/measure.mjs';

const [loads, nodes] = [Number(process.argv[2] ?? 50), Number(process.argv[3] ?? 12)];
const bed = await testbed(nodes, ['--shell', 'builtin', '--frisbee', 'scripted', '--size', '8', '--boot', '0.3']);

function load() {
  const mine = Array.from({ length: 3 }, () => 1 + Math.floor(Math.random() * nodes)).map(String);
  const child = spawn(process.execPath, [bin('imaging-load'), '--progress', 'json', '--passes', '1', ...mine], {
    env: { ...process.env, ...bed.env },
    cwd: '/tmp',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let text = '';
  child.stdout.on('data', (data) => (text += data));
  return new Promise((resolve) =>
    child.once('close', (code) =>
      resolve({
        code,
        events: text
          .trim()
          .split('\n')
          .map((line) => JSON.parse(line)),
      }),
    ),
  );
}

const problems = [];
const held = new Map(); // node → [from, to, run] of each run that got past its lock
const outcomes = { ok: 0, busy: 0, other: 0 };
const began = performance.now();
for (const { code, events } of await Promise.all(Array.from({ length: loads }, load))) {
  const run = events[0].run;
  const failed = events.filter(({ type }) => type === 'target.failed');
  const busy = failed.filter((event) => event.code === 'node-busy' && event.step === 'lock');
  const done = events.filter(({ type }) => type === 'target.done');
  outcomes.ok += done.length;
  outcomes.busy += busy.length;
  outcomes.other += failed.length - busy.length;
  const expected = failed.length === 0 ? 0 : busy.length === failed.length && done.length === 0 ? 3 : 1;
  if (code !== expected) problems.push(`${run}: exit code ${code}, not ${expected}`);
  for (const { at, node } of events.filter((event) => event.type === 'target.step' && event.step === 'pxe')) {
    const end = events.find((event) => event.target === node && (event.type === 'target.done' || event.type === 'target.failed'));
    held.set(node, [...(held.get(node) ?? []), [at, end?.at ?? Infinity, run]]);
  }
}
for (const [node, list] of held) {
  list.sort((a, b) => a[0] - b[0]);
  list.forEach(([from, , run], index) => {
    const before = list[index - 1];
    if (before && before[1] > from) problems.push(`${node}: run ${run} began while ${before[2]} had it`);
  });
}
const folder = join(dirname(bed.env.IMAGING_CONFIG), 'tftpboot/pxelinux.cfg');
const left = readdirSync(folder).filter((name) => name !== 'pxefrisbee' && name !== 'default');
if (left.length > 0) problems.push(`left behind: ${left.join(', ')}`);
await bed.stop();
console.log(
  `${loads} loads of 3 of ${nodes} nodes at once in ${((performance.now() - began) / 1000).toFixed(1)} s: ${outcomes.ok} nodes loaded, ${outcomes.busy} refused as busy, ${outcomes.other} failed otherwise; ${[...held.values()].flat().length} turns on nodes, none overlapping: ${problems.length === 0}`,
);
for (const problem of problems) console.log(problem);
process.exit(problems.length === 0 ? 0 : 1);
