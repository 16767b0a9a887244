import { closeSync, fstatSync, ftruncateSync, openSync, readSync, writeSync } from 'node:fs';
import { Readable } from 'node:stream';
import { chunkJob, type ChunkWorkplace } from '../../src/ndz/threads/chunk-work.js';
import { DiskAccess } from '../../src/disk/disk-access.js';
import { CHUNK_BYTES } from '../../src/ndz/codec/format.js';
import { endOfImage, inspectImage } from '../../src/ndz/read/inspect.js';
import { streamImage } from '../../src/ndz/read/image-stream.js';
import { InflateMemory } from '../../src/ndz/codec/inflate-memory.js';
import { inflatePieces, openChunk } from '../../src/ndz/codec/inflate.js';
import { libdeflate } from '../../src/native/libdeflate.js';
import { Failure } from '../../src/util/errors.js';
import { bases, dice, meaning, mutate, sweep, type Base, type Mutant } from '../helpers/mutate.js';

/** Why it is zlib that inflates, and not libdeflate; null when it is not. */
export const whyZlib = (): Promise<string | null> => libdeflate.whyOff();

export type FuzzReport = { count: number; refused: Record<string, number>; accepted: number; slowestMs: number; peakBytes: number };

/** Damages images at random: `count` of them. Throws as `judgeAll` does. */
export function fuzzImages(folder: string, count: number, seed: number): Promise<FuzzReport> {
  const images = bases(seed);
  const roll = dice(seed + 1);
  const mutants = function* (): Generator<[Base, Mutant]> {
    for (let round = 0; round < count; round++) {
      const base = images[roll(images.length)];
      if (!base) throw new Error('no images');
      yield [base, mutate(base, images, roll)];
    }
  };
  return judgeAll(folder, mutants(), `seed ${seed}`);
}

/** Damages every `step`-th byte of every header in a few ways, and cuts and lengthens images at every such place. Throws as `judgeAll` does. */
export function sweepImages(folder: string, step: number, seed: number): Promise<FuzzReport> {
  const mutants = function* (): Generator<[Base, Mutant]> {
    for (const base of bases(seed)) for (const mutant of sweep(base, step)) yield [base, mutant];
  };
  return judgeAll(folder, mutants(), `every ${step}. byte`);
}

/**
 * Reads damaged images as a restore does: headers first, then every chunk, written to a disk; and as they come through a
 * pipe. Throws when one is accepted that is another disk than the original (with checksums) or than its own bytes say
 * (without, or with new ones), when file and pipe disagree, and for any error that is no Failure of ours.
 */
async function judgeAll(folder: string, mutants: Iterable<[Base, Mutant]>, name: string): Promise<FuzzReport> {
  const report: FuzzReport = { count: 0, refused: {}, accepted: 0, slowestMs: 0, peakBytes: 0 };
  const imagePath = `${folder}/fuzzed.ndz`;
  const [imageFd, diskFd] = [openSync(imagePath, 'w+'), openSync(`${folder}/fuzzed.disk`, 'w+')];
  let before: Buffer = Buffer.alloc(0);
  try {
    for (const [base, mutant] of mutants) {
      const where = `${name}, number ${report.count++}`;
      update(imageFd, before, mutant.bytes);
      before = mutant.bytes;
      ftruncateSync(diskFd, 0);
      const startMs = performance.now();
      const code = await restore(imagePath, mutant.bytes, diskFd);
      report.slowestMs = Math.max(report.slowestMs, performance.now() - startMs);
      if (report.count % 64 === 0) report.peakBytes = Math.max(report.peakBytes, process.memoryUsage().rss);
      if (code === null) {
        report.accepted++;
        judge(base, mutant, diskFd, where);
      } else report.refused[code] = (report.refused[code] ?? 0) + 1;
      if (report.count % 4 === 0 && (code === null) !== (await isStreamed(mutant.bytes)))
        throw new Error(`${where}: from a file ${code ?? 'accepted'}, from a pipe not so`);
    }
  } finally {
    closeSync(imageFd);
    closeSync(diskFd);
  }
  return report;
}

const limitBytes = 64 * 1024 * 1024;

/** null when the image was accepted and written, else why not. */
async function restore(path: string, bytes: Buffer, diskFd: number): Promise<string | null> {
  return codeOf(async () => {
    const info = await inspectImage(path);
    const target = { fd: diskFd, direct: null, path: 'disk', baseBytes: 0, limitBytes, isBlank: true };
    await applyAll(bytes, { image: null, target, disk: await DiskAccess.open(target), memory });
    return (await endOfImage(info)).cut === null ? null : 'ndz-cut';
  });
}

const memory = new InflateMemory();

async function applyAll(bytes: Buffer, workplace: ChunkWorkplace): Promise<void> {
  for (let position = 0; position < bytes.byteLength / CHUNK_BYTES; position++) {
    const chunk = bytes.subarray(position * CHUNK_BYTES, (position + 1) * CHUNK_BYTES);
    await chunkJob({ kind: 'apply', position, bytes: chunk, zeroFill: false }, workplace);
  }
}

/** Whether an image is accepted as it comes through a pipe. */
async function isStreamed(bytes: Buffer): Promise<boolean> {
  const code = await codeOf(async () => {
    for await (const { bytes: chunk, header, position } of streamImage(Readable.from([bytes]), 'pipe')) {
      for await (const piece of inflatePieces(chunk, openChunk(chunk, position))) void piece;
      const last = header.regions.at(-1);
      if (last && (last.startSector + last.sectorCount) * 512 > limitBytes) return 'disk-too-small';
    }
    return null;
  });
  return code === null;
}

async function codeOf(work: () => Promise<string | null>): Promise<string | null> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof Failure && /^(ndz|disk)-/.test(error.code)) return error.code;
    throw error;
  }
}

function judge(base: Base, { bytes, isResealed }: Mutant, diskFd: number, where: string): void {
  const isProtected = base.isSealed && !isResealed && hasChecksums(bytes);
  const wanted = meaning(isProtected ? base.bytes : bytes);
  for (const [sector, content] of wanted) {
    const seen = Buffer.alloc(content.byteLength);
    readSync(diskFd, seen, 0, seen.byteLength, sector * 512);
    if (!seen.equals(content)) throw new Error(`${where}: ${base.name} damaged, accepted, and sector ${sector} is wrong`);
  }
  const end = Math.max(...wanted.keys()) + 1;
  if (fstatSync(diskFd).size > end * 512) throw new Error(`${where}: ${base.name} damaged, accepted, and written beyond sector ${end}`);
}

/** Whether any chunk says so; one image put in the place of another may have none, and is then what it is. */
function hasChecksums(bytes: Buffer): boolean {
  for (let at = 0; at < bytes.byteLength; at += CHUNK_BYTES)
    if (bytes.readUInt16LE(at + 38) !== 0 || bytes.subarray(at + 72, at + 92).some((byte) => byte !== 0)) return true;
  return false;
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
