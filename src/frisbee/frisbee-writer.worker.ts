import { parentPort } from 'node:worker_threads';
import { openDiskSink, openRawSink, type RawSink } from '../ndz/sink.js';
import { Failure, messageOf } from '../util/errors.js';
import type { ChunkOutput, OutputResult } from './chunk-output.js';
import { CHUNK_BYTES } from './geometry.js';
import type { OutputSpec, WriterReply, WriterRequest } from './writer-protocol.js';
import { failureData } from '../util/failures.js';

/** Inflates and writes for clients whose own thread must not miss a datagram. One thread can write many outputs. */
const outputs = new Map<number, { output: ChunkOutput; memory: SharedArrayBuffer }>();

async function open(spec: OutputSpec): Promise<ChunkOutput> {
  if (!spec.raw) return openDiskSink(spec.path, spec);
  let raw: RawSink | null = null;
  const opened = (): RawSink => {
    if (!raw) throw new Error('a raw output was written before its size was known');
    return raw;
  };
  return {
    begin: async (sizeBytes) => void (raw = await openRawSink(spec.path, sizeBytes)),
    write: (chunk, index, sizeBytes) => opened().writeAt(index * CHUNK_BYTES, chunk.subarray(0, sizeBytes)),
    finish: () => opened().finish(),
    abort: async () => raw?.abort(),
  };
}

async function perform(request: WriterRequest): Promise<OutputResult | null> {
  if (request.step === 'open') {
    outputs.set(request.output, { output: await open(request.spec), memory: new SharedArrayBuffer(0) });
    return null;
  }
  const entry = outputs.get(request.output);
  if (!entry) throw new Error('no such output');
  const { output } = entry;
  switch (request.step) {
    case 'begin':
      await output.begin?.(request.sizeBytes);
      return null;
    case 'write':
      await output.write(new Uint8Array(entry.memory, request.offset, CHUNK_BYTES), request.index, request.sizeBytes);
      return null;
    case 'share':
      entry.memory = request.memory;
      return null;
    case 'abort':
      outputs.delete(request.output);
      await output.abort();
      return null;
    case 'finish': {
      const { effectiveBytes, actualBytes, writes, notes = [] } = await output.finish();
      outputs.delete(request.output);
      return { effectiveBytes, actualBytes, writes, notes };
    }
  }
}

parentPort?.on('message', (request: WriterRequest) => {
  const answer = (reply: WriterReply): void => parentPort?.postMessage(reply);
  perform(request).then(
    (result) => answer({ id: request.id, ok: true, result }),
    (error: unknown) => {
      const failure = error instanceof Failure ? failureData(error) : null;
      answer({ id: request.id, ok: false, failure, message: messageOf(error) });
    },
  );
});
