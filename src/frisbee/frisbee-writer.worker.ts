import { parentPort } from 'node:worker_threads';
import { openDiskSink, openRawSink } from '../ndz/apply/disk-sink.js';
import { Failure, messageOf } from '../util/errors.js';
import type { ChunkSink, SinkResult } from '../ndz/apply/chunk-sink.js';
import { InflateMemories } from '../ndz/codec/inflate-memory.js';
import { CHUNK_BYTES } from '../ndz/codec/format.js';
import type { SinkSpec, WriterReply, WriterRequest } from './writer-thread.js';
import { failureData } from '../util/failures.js';

/** Inflates and writes for clients whose own thread must not miss a datagram. One thread can write many sinks. */
const sinks = new Map<number, { sink: ChunkSink; memory: SharedArrayBuffer }>();

const memories = new InflateMemories();

const open = async (spec: SinkSpec): Promise<ChunkSink> =>
  spec.raw ? openRawSink(spec.path) : openDiskSink(spec.path, { ...spec, memories });

async function perform(request: WriterRequest): Promise<SinkResult | null> {
  if (request.step === 'open') {
    sinks.set(request.sink, { sink: await open(request.spec), memory: new SharedArrayBuffer(0) });
    return null;
  }
  const entry = sinks.get(request.sink);
  if (!entry) throw new Error('no such sink');
  const { sink } = entry;
  switch (request.step) {
    case 'begin':
      await sink.begin?.(request.sizeBytes);
      return null;
    case 'write':
      await sink.write(new Uint8Array(entry.memory, request.offset, CHUNK_BYTES), request.index, request.sizeBytes);
      return null;
    case 'share':
      entry.memory = request.memory;
      return null;
    case 'abort':
      sinks.delete(request.sink);
      await sink.abort();
      return null;
    case 'finish': {
      const { effectiveBytes, actualBytes, writes, notes = [] } = await sink.finish();
      sinks.delete(request.sink);
      return { effectiveBytes, actualBytes, writes, notes };
    }
  }
}

/** What is still open is given up. */
async function end(): Promise<void> {
  for (const { sink } of sinks.values()) await sink.abort().catch(() => undefined); // nobody waits for it any more
  parentPort?.close();
}

parentPort?.on('message', (request: WriterRequest | null) => {
  if (request === null) return void end();
  const answer = (reply: WriterReply): void => parentPort?.postMessage(reply);
  perform(request).then(
    (result) => answer({ id: request.id, ok: true, result }),
    (error: unknown) => {
      const failure = error instanceof Failure ? failureData(error) : null;
      answer({ id: request.id, ok: false, failure, message: messageOf(error) });
    },
  );
});
