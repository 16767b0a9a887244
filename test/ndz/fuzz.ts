import { closeSync, fstatSync, ftruncateSync, openSync, readSync, writeSync } from 'node:fs';
import { missingEnd } from '../../src/ndz/cut-image.js';
import { chunkJob, type ChunkJobData } from '../../src/ndz/chunk-jobs.js';
import { inspectImage } from '../../src/ndz/reader.js';
import { Failure } from '../../src/util/errors.js';
import { bases, dice, meaning, mutate, type Base } from './mutate.js';

export type FuzzReport = { refused: Record<string, number>; accepted: number; slowestMs: number; peakBytes: number };

/**
 * Damages images and reads them as a restore does: headers first, then every chunk, written to a disk. Throws when one is
 * accepted that is another disk than the original (with checksums) or than its own bytes say (without), and for any error
 * that is no Failure of ours.
 */
export async function fuzzImages(folder: string, count: number, seed: number): Promise<FuzzReport> {
  const images = bases(seed);
  const roll = dice(seed + 1);
  const report: FuzzReport = { refused: {}, accepted: 0, slowestMs: 0, peakBytes: 0 };
  const imagePath = `${folder}/fuzzed.ndz`;
  const [imageFd, diskFd] = [openSync(imagePath, 'w+'), openSync(`${folder}/fuzzed.disk`, 'w+')];
  let before: Buffer = Buffer.alloc(0);
  try {
    for (let round = 0; round < count; round++) {
      const base = images[roll(images.length)];
      if (!base) throw new Error('no images');
      const mutant = mutate(base, images, roll);
      update(imageFd, before, mutant);
      before = mutant;
      ftruncateSync(diskFd, 0);
      const startMs = performance.now();
      const code = await restore(imagePath, imageFd, diskFd);
      report.slowestMs = Math.max(report.slowestMs, performance.now() - startMs);
      if (round % 64 === 0) report.peakBytes = Math.max(report.peakBytes, process.memoryUsage().rss);
      if (code === null) {
        report.accepted++;
        judge(base, mutant, diskFd, `round ${round} of seed ${seed}`);
      } else report.refused[code] = (report.refused[code] ?? 0) + 1;
    }
  } finally {
    closeSync(imageFd);
    closeSync(diskFd);
  }
  return report;
}

/** null when the image was accepted and written, else why not. */
async function restore(path: string, imageFd: number, diskFd: number): Promise<string | null> {
  try {
    const info = await inspectImage(path);
    const image = { fd: imageFd, name: path, uuid: info.uuid, version: info.version };
    const data: ChunkJobData = { image, target: { fd: diskFd, path: 'disk', baseBytes: 0, limitBytes: 64 * 1024 * 1024, isBlank: true } };
    for (let position = 0; position < info.chunkCount; position++) await chunkJob({ kind: 'check', position }, data);
    if ((await missingEnd(info)) !== null) return 'ndz-cut';
    for (let position = 0; position < info.chunkCount; position++) await chunkJob({ kind: 'apply', position, bytes: null, zeroFill: false }, data);
    return null;
  } catch (error) {
    if (error instanceof Failure && /^(ndz|disk)-/.test(error.code)) return error.code;
    throw error;
  }
}

function judge(base: Base, mutant: Buffer, diskFd: number, where: string): void {
  const wanted = meaning(base.isSealed && !mutant.equals(base.bytes) ? base.bytes : mutant);
  for (const [sector, bytes] of wanted) {
    const seen = Buffer.alloc(bytes.byteLength);
    readSync(diskFd, seen, 0, seen.byteLength, sector * 512);
    if (!seen.equals(bytes)) throw new Error(`${where}: ${base.name} damaged, accepted, and sector ${sector} is wrong`);
  }
  const end = Math.max(...wanted.keys()) + 1;
  if (fstatSync(diskFd).size > end * 512) throw new Error(`${where}: ${base.name} damaged, accepted, and written beyond sector ${end}`);
}

/** Writes only what is different: a whole image each time would take most of the time. */
function update(fd: number, before: Buffer, after: Buffer): void {
  const step = 64 * 1024;
  for (let at = 0; at < after.byteLength; at += step) {
    const part = after.subarray(at, at + step);
    if (!part.equals(before.subarray(at, at + step))) writeSync(fd, part, 0, part.byteLength, at);
  }
  ftruncateSync(fd, after.byteLength);
}
