import type { InflateMemory } from '../../src/ndz/codec/inflate-memory.js';
import { inflatePieces, openChunk } from '../../src/ndz/codec/inflate.js';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { onTestFinished } from 'vitest';
import { CHUNK_BYTES } from '../../src/ndz/codec/format.js';

export type Expected = {
  inflatedBytes: number;
  effectiveBytes: number;
  actualBytes: number;
  writtenBytes: number;
  writtenSha256: string;
  diskBytes: number;
};

const folder = new URL('../fixtures/ndz/', import.meta.url);

/** What the 2015 imageunzip said and wrote, by fixture. */
const expected = JSON.parse(readFileSync(new URL('expected.json', folder), 'utf8')) as Record<string, Expected>;
export const fixtureNames = Object.keys(expected);

export function fixture(name: string): Buffer {
  return gunzipSync(readFileSync(new URL(`${name}.ndz.gz`, folder)));
}

export function expectedOf(name: string): Expected {
  const found = expected[name];
  if (!found) throw new Error(`no fixture ${name}`);
  return found;
}

export function chunksOf(image: Uint8Array): Uint8Array[] {
  return Array.from({ length: image.byteLength / CHUNK_BYTES }, (_, i) => image.subarray(i * CHUNK_BYTES, (i + 1) * CHUNK_BYTES));
}

/** A folder that is gone after the test. */
export async function temporaryFolder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'imaging-ndz-'));
  onTestFinished(() => rm(path, { recursive: true, force: true }));
  return path;
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

export { chunkOf, headerOf, UUID } from './bytes.js';

/** Open file descriptors of this process that lead to `path`. */
export async function descriptorsOf(path: string): Promise<number> {
  const { readdir, readlink } = await import('node:fs/promises');
  const names = await readdir('/proc/self/fd');
  const targets = await Promise.all(names.map((name) => readlink(`/proc/self/fd/${name}`).catch(() => '')));
  return targets.filter((target) => target === path || target.startsWith(`${path}/`)).length;
}

/** What a chunk's stream holds. Rejects as `openChunk` and `inflatePieces` throw. */
export const inflated = async (chunk: Uint8Array, position?: number, memory?: InflateMemory): Promise<Buffer> => {
  const pieces: Uint8Array[] = [];
  for await (const piece of inflatePieces(chunk, openChunk(chunk, position), memory)) pieces.push(piece);
  return Buffer.concat(pieces);
};
