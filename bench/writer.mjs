// The writer thread of the frisbee client by itself: an image's chunks, from memory, into a file. No network.
// Usage: node bench/writer.mjs [image.ndz]; without one, 160 chunks of half random bytes, half text.
// BENCH_RUNS (5), BENCH_DIR; BENCH_DIST: dist/ folders to run in turn, separated by commas.
import { randomFillSync } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { deflateSync } from 'node:zlib';
import { median, print, root } from './measure.mjs';

const CHUNK_BYTES = 1 << 20;
const runs = Number(process.env.BENCH_RUNS ?? 5);
const folder = mkdtempSync(join(process.env.BENCH_DIR ?? (existsSync('/dev/shm') ? '/dev/shm' : tmpdir()), 'imaging-bench-'));
process.once('exit', () => rmSync(folder, { recursive: true, force: true }));

/** Chunks of about 0.9 MiB of random bytes and as much text each, as in frisbee.mjs. */
function makeImage(chunks) {
  const data = Buffer.alloc(1_843_200, 'some line of compressible text\n');
  const sectors = data.length / 512;
  return Buffer.concat(
    Array.from({ length: chunks }, (_, index) => {
      randomFillSync(data, 0, data.length / 2);
      const stream = deflateSync(data, { level: 1 });
      const chunk = Buffer.alloc(CHUNK_BYTES);
      const words = [0x6969696b, stream.length, index, 0, 4096, 1, index * sectors, (index + 1) * sectors, 0, index * sectors, sectors];
      words.forEach((word, i) => chunk.writeUInt32LE(word, 4 * i));
      stream.copy(chunk, 4096);
      return chunk;
    }),
  );
}

/** A writer thread, which answers one question after the other. */
function startWriter(dist) {
  const worker = new Worker(join(dist, 'frisbee-writer.worker.js'));
  let id = 0;
  const ask = (step) =>
    new Promise((resolve, reject) => {
      worker.once('message', ({ ok, result, message }) => (ok ? resolve(result) : reject(new Error(message))));
      worker.postMessage({ id: ++id, ...step });
    });
  return { ask, end: () => worker.terminate() };
}

/** One run: what it took of wall and processor time, threads of the thread pool included. */
async function run({ ask }, memory, sink) {
  const path = join(folder, `out${sink}`);
  await ask({ sink, step: 'open', spec: { path } });
  await ask({ sink, step: 'begin', sizeBytes: memory.byteLength });
  await ask({ sink, step: 'share', memory });
  const [before, startMs] = [process.cpuUsage(), performance.now()];
  for (let offset = 0; offset < memory.byteLength; offset += CHUNK_BYTES)
    await ask({ sink, step: 'write', offset, index: offset / CHUNK_BYTES, sizeBytes: CHUNK_BYTES });
  const { actualBytes, writes } = await ask({ sink, step: 'finish' });
  const [wallMs, { user, system }] = [performance.now() - startMs, process.cpuUsage(before)];
  rmSync(path);
  return { wallS: wallMs / 1e3, userS: user / 1e6, systemS: system / 1e6, actualBytes, writes };
}

const image = process.argv[2] ? readFileSync(process.argv[2]) : makeImage(160);
const memory = new SharedArrayBuffer(image.length);
new Uint8Array(memory).set(image);
const dists = (process.env.BENCH_DIST ?? join(root, 'dist')).split(',');
const results = dists.map(() => []);
const writers = dists.map(startWriter);
for (let round = 0; round <= runs; round++)
  for (const [i, writer] of writers.entries()) {
    const result = await run(writer, memory, round);
    if (round > 0) results[i].push(result); // the first one warms up
  }
await Promise.all(writers.map(({ end }) => end()));
const MB = image.length / 1e6;
print(
  `the client's writer thread: ${MB.toFixed(0)} MB of image, ${(results[0][0].actualBytes / 1e6).toFixed(0)} MB of disk`,
  results.map((list, i) => {
    const of = (key) => median(list.map((one) => one[key]));
    const cpuS = median(list.map(({ userS, systemS }) => userS + systemS));
    return `${dists[i]}  ${(MB / of('wallS')).toFixed(0)} MB/s wall  ${(MB / cpuS).toFixed(0)} MB/CPU-s  (user ${of('userS').toFixed(2)} s, system ${of('systemS').toFixed(2)} s, ${list[0].writes} writes)`;
  }),
);
