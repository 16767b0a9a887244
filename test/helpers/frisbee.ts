import { randomFillSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { ChunkSink } from '../../src/ndz/apply/chunk-sink.js';
import { CHUNK_BYTES } from '../../src/ndz/codec/format.js';
import type { ServerOptions, ServerEvent } from '../../src/frisbee/server-events.js';
import { ServerSession } from '../../src/frisbee/server-session.js';

/** A folder that is removed when the test ends. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'imaging-frisbee-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A file of `sizeBytes` random bytes. */
export function randomFile(sizeBytes: number): { path: string; content: Buffer } {
  const content = randomFillSync(Buffer.alloc(sizeBytes));
  const path = join(temporaryFolder(), 'image');
  writeFileSync(path, content);
  return { path, content };
}

let lastPort = 20_000 + (process.pid % 400) * 50;

/** A group and a port no other test uses at the same time. */
export function testSession(): { group: string; port: number } {
  lastPort++;
  return { group: `239.77.${lastPort >> 8}.${lastPort & 255}`, port: lastPort };
}

/** A server in this thread; stopped when the test ends. Its events are collected. */
export async function serve(
  options: Omit<ServerOptions, 'localIp' | 'loopback' | 'rateBps'> & Partial<ServerOptions>,
): Promise<{ server: ServerSession; events: ServerEvent[] }> {
  const events: ServerEvent[] = [];
  const server = await ServerSession.start({ localIp: '127.0.0.1', loopback: true, rateBps: 400_000_000, ...options }, (event) =>
    events.push(event),
  );
  onTestFinished(async () => void (await server.stop()));
  return { server, events };
}

/** An output that keeps everything in memory. */
export class MemoryOutput implements ChunkSink {
  content = Buffer.alloc(0);
  chunks: number[] = [];
  finished = false;
  aborted = false;
  sizeBytes: number | null = null;

  async begin(sizeBytes: number): Promise<void> {
    this.sizeBytes = sizeBytes;
    this.content = Buffer.alloc(sizeBytes);
  }

  async write(chunk: Uint8Array, index: number, sizeBytes: number): Promise<void> {
    this.chunks.push(index);
    this.content.set(chunk.subarray(0, sizeBytes), index * CHUNK_BYTES);
  }

  async finish(): Promise<{ effectiveBytes: number; actualBytes: number; writes: number }> {
    this.finished = true;
    return { effectiveBytes: this.content.length, actualBytes: this.content.length, writes: this.chunks.length };
  }

  async abort(): Promise<void> {
    this.aborted = true;
  }
}
