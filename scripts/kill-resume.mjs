// Kills loads with SIGKILL at random moments and resumes them: node scripts/kill-resume.mjs [count] [seed]
// Each round spoils the disks of four emulated nodes, kills a load, in every third round the resume as well, and resumes
// until its nodes are done. Fails when a disk is not the image then, a next-boot link is left, or a resume fails.
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'esbuild';

const [count, seed] = [Number(process.argv[2] ?? 200), Number(process.argv[3] ?? Date.now() % 1e6)];
const bin = fileURLToPath(new URL('../bin', import.meta.url));
const work = mkdtempSync(join(tmpdir(), 'imaging-kill-'));
process.once('exit', () => rmSync(work, { recursive: true, force: true }));
const bundle = join(work, 'kill-resume.mjs');
await build({
  entryPoints: [fileURLToPath(new URL('../test/helpers/kill-resume.ts', import.meta.url))],
  outfile: bundle,
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node20.19',
  logLevel: 'warning',
});
const { killAndResume } = await import(pathToFileURL(bundle).href);

const dir = join(work, 'testbed');
const up = spawn(join(bin, 'imaging-testbed'), ['up', '4', '--dir', dir, '--size', '2', '--boot', '0.1'], {
  stdio: ['ignore', 'pipe', 'inherit'],
});
process.once('exit', () => up.kill('SIGTERM'));
await new Promise((resolve, reject) => {
  up.stdout.on('data', (text) => String(text).includes('Ctrl-C ends it') && resolve());
  up.once('exit', (code) => reject(new Error(`the testbed ended with ${code}`)));
});
const quick = join(work, 'quick.conf');
writeFileSync(quick, '[nodes]\nidle_after_reset = 1\n[networking]\nping_command =\n');

const testbed = {
  dir,
  start,
  links: () => readdirSync(join(dir, 'tftpboot/pxelinux.cfg')).filter((name) => name !== 'pxefrisbee' && name !== 'default'),
};
const env = { ...process.env, IMAGING_CONFIG: `${join(dir, 'imaging.conf')}:${quick}` };

function start(name, args) {
  const child = spawn(join(bin, name), args, { cwd: work, env, stdio: ['ignore', 'pipe', 'pipe'] });
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (text) => (stdout += text));
  child.stderr.on('data', (text) => (stderr += text));
  const events = () =>
    stdout
      .split('\n')
      .slice(0, -1)
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line));
  const finished = new Promise((resolve) =>
    child.once('close', (code, signal) => resolve({ code, signal, stdout, stderr, events: events() })),
  );
  return { child, finished };
}

let state = seed;
/** Uniform in [0, 1), the same sequence for the same seed. */
function random() {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return state / 2 ** 32;
}
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

const startedMs = performance.now();
await start('imaging-load', ['-i', 'demo', '1-4', '--progress', 'json']).finished;
let loadMs = performance.now() - startedMs;
console.error(`a load takes ${loadMs.toFixed(0)} ms here; seed ${seed}`);

const counts = { unplanned: 0, noneDone: 0, someDone: 0, allDone: 0, hadEnded: 0, resumes: 0 };
const resumeMs = [];
for (let round = 0; round < count; round += 1) {
  const [killMs, againMs] = [random() * loadMs * 1.05, random() * loadMs];
  const { run, hadEnded, doneBefore, resumesMs } = await killAndResume(
    testbed,
    {},
    () => pause(killMs),
    round % 3 === 2 ? () => pause(againMs) : null,
  );
  // the machine is not equally busy all the time: most kills are to come in the middle of a load
  loadMs *= hadEnded ? 0.85 : 1.02;
  if (hadEnded) counts.hadEnded += 1;
  else counts[run === null ? 'unplanned' : ['noneDone', 'someDone', 'someDone', 'someDone', 'allDone'][doneBefore]] += 1;
  counts.resumes += resumesMs.length;
  resumeMs.push(...resumesMs.slice(-1));
  if (round % 20 === 19) console.error(`${round + 1} of ${count}`);
}
resumeMs.sort((a, b) => a - b);
console.log(
  `${count} loads killed in ${((performance.now() - startedMs) / 1000).toFixed(0)} s: every disk right, no link left; last resume of a round: median ${resumeMs[resumeMs.length >> 1]?.toFixed(0)} ms, slowest ${resumeMs.at(-1)?.toFixed(0)} ms`,
);
console.log(counts);
process.exit(0);
