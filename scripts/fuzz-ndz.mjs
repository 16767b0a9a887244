// Damages .ndz images, every byte of their headers and `count` times at random, and reads them as a restore does:
// node scripts/fuzz-ndz.mjs [count] [seed]
// With libdeflate where it is to be had; without it: IMAGING_NATIVE_OFF=libdeflate
// Fails when one is accepted that is a wrong disk, on any error that is not one of ours, and on much memory or time.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'esbuild';

const [count, seed] = [Number(process.argv[2] ?? 100_000), Number(process.argv[3] ?? 1)];
const folder = mkdtempSync(join(tmpdir(), 'imaging-fuzz-'));
process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
const bundle = join(folder, 'fuzz.mjs');
await build({
  entryPoints: [fileURLToPath(new URL('../test/ndz/fuzz.ts', import.meta.url))],
  outfile: bundle,
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
const { fuzzImages, sweepImages, whyZlib } = await import(pathToFileURL(bundle).href);

const BATCH = 5000;
const total = { count: 0, refused: {}, accepted: 0, slowestMs: 0, peakBytes: 0 };
const startMs = performance.now();
function add(report) {
  for (const [code, times] of Object.entries(report.refused)) total.refused[code] = (total.refused[code] ?? 0) + times;
  total.count += report.count;
  total.accepted += report.accepted;
  total.slowestMs = Math.max(total.slowestMs, report.slowestMs);
  total.peakBytes = Math.max(total.peakBytes, report.peakBytes);
  console.error(`${total.count} so far`);
}
add(await sweepImages(folder, 1, seed));
for (let done = 0; done < count; done += BATCH) add(await fuzzImages(folder, Math.min(BATCH, count - done), seed + done));
const { refused, accepted, slowestMs, peakBytes } = total;
console.log(
  `${total.count} damaged images in ${((performance.now() - startMs) / 1000).toFixed(0)} s: ${accepted} harmless, the others refused; slowest ${slowestMs.toFixed(0)} ms, memory ${(peakBytes / 1e6).toFixed(0)} MB`,
);
const why = await whyZlib();
console.log(why === null ? 'inflated with libdeflate' : `inflated with zlib: ${why}`);
console.log(refused);
if (peakBytes > 1024 ** 3 || slowestMs > 10_000) process.exit(1);
