// Sends damaged and hostile datagrams to the frisbee server and client: node scripts/fuzz-frisbee.mjs [count] [seed]
// count datagrams (default 10,000,000) go to the cores, half of them to each, and a hundredth of that through sockets
// while images are transferred; without batches of them: IMAGING_NATIVE_OFF=all. Fails when one throws, changes what it must not, or makes memory or time grow.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'esbuild';

const [count, seed] = [Number(process.argv[2] ?? 10_000_000), Number(process.argv[3] ?? 1)];
const folder = mkdtempSync(join(tmpdir(), 'imaging-fuzz-'));
process.once('exit', () => rmSync(folder, { recursive: true, force: true }));

async function load(name) {
  const outfile = join(folder, `${name}.mjs`);
  await build({
    entryPoints: [fileURLToPath(new URL(`../test/frisbee/${name}.ts`, import.meta.url))],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20.19',
    logLevel: 'warning',
    // its library lies beside its own files
    plugins: [
      {
        name: 'koffi',
        setup: ({ onResolve }) => onResolve({ filter: /^koffi$/ }, () => ({ path: import.meta.resolve('koffi'), external: true })),
      },
    ],
  });
  return import(pathToFileURL(outfile).href);
}

const megabytes = (bytes) => `${(bytes / 1e6).toFixed(0)} MB`;
let failed = false;

/** Runs one kind in rounds, so that progress is seen. */
function cores(name, fuzz, total) {
  const ROUND = 500_000;
  const began = performance.now();
  let [accepted, slowestMs, peakBytes, done] = [0, 0, 0, 0];
  for (; done < total; done += Math.min(ROUND, total - done)) {
    const report = fuzz(Math.min(ROUND, total - done), seed + done);
    accepted += report.accepted;
    slowestMs = Math.max(slowestMs, report.slowestMs);
    peakBytes = Math.max(peakBytes, report.peakBytes);
    console.error(`${name}: ${done + Math.min(ROUND, total - done)} of ${total}`);
  }
  console.log(
    `${name}: ${done} datagrams in ${((performance.now() - began) / 1000).toFixed(0)} s, ${accepted} of them valid messages; slowest 5,000: ${slowestMs.toFixed(0)} ms; memory ${megabytes(peakBytes)}`,
  );
  failed ||= peakBytes > 512e6 || slowestMs > 5_000;
}

const { fuzzServer, fuzzClient } = await load('fuzz');
cores('server', fuzzServer, Math.ceil(count / 2));
cores('client', fuzzClient, Math.floor(count / 2));

const { fuzzSockets, whyPlain } = await load('fuzz-sockets');
const why = await whyPlain();
console.log(why === null ? 'sockets read and written in batches' : `sockets of Node.js: ${why}`);
const report = await fuzzSockets(folder, { group: '239.77.250.1', port: 41_001 }, Math.ceil(count / 100), seed);
console.log(
  `sockets: ${report.count} datagrams in ${report.seconds.toFixed(0)} s while ${report.transfers} transfers went right; ${report.sentBlocks} blocks sent, an image has ${report.imageBlocks}; memory ${megabytes(report.peakBytes)}`,
);
if (failed || report.peakBytes > 512e6) process.exit(1);
