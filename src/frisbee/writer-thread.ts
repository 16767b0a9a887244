import { Worker } from 'node:worker_threads';
import { workerPath } from '../util/dist.js';
import { endThread } from '../util/end-thread.js';
import { type Failure, messageOf } from '../util/errors.js';
import type { ChunkSink, SinkResult } from '../ndz/apply/chunk-sink.js';
import type { DiskSinkOptions } from '../ndz/apply/disk-sink.js';
import { fail } from './failures.js';
import { type FailureData, failureFrom } from '../util/failures.js';

/** A file or disk that a writer thread opens. */
export type SinkSpec = Omit<DiskSinkOptions, 'signal' | 'memories'> & {
  path: string;
  /** Write the bytes as they are: no image format, nothing is inflated. */
  raw?: boolean;
};

/** What a writer thread is asked, one step at a time per sink but `abort`. */
export type WriterRequest = { id: number; sink: number } & WriterStep;

export type WriterStep =
  | { step: 'open'; spec: SinkSpec }
  | { step: 'begin'; sizeBytes: number }
  /** From here on, writes mean places in this memory. */
  | { step: 'share'; memory: SharedArrayBuffer }
  | { step: 'write' /** where the chunk begins in the shared memory */; offset: number; index: number; sizeBytes: number }
  | { step: 'finish' }
  | { step: 'abort' };

/** What it answers to the request of the same id. */
export type WriterReply = { id: number } & (
  | { ok: true; result: SinkResult | null }
  | { ok: false; failure: FailureData | null; message: string }
);

type Pending = { resolve: (result: SinkResult | null) => void; reject: (error: Error) => void };

/**
 * A thread that inflates and writes, so that whoever receives is never kept from its socket. It can hold many sinks;
 * chunks must lie in shared memory.
 */
export class WriterThread {
  readonly #worker = new Worker(workerPath('frisbee-writer'));
  readonly #pending = new Map<number, Pending>();
  #requests = 0;
  #sinks = 0;
  #dead: Failure | null = null;
  #hasExited = false;

  constructor() {
    this.#worker.on('message', (reply: WriterReply) => this.#settle(reply));
    this.#worker.on('error', (error) => this.#die(messageOf(error)));
    this.#worker.on('exit', (code) => {
      this.#hasExited = true;
      this.#die(`exit code ${code}`);
    });
  }

  /** Opens a file or disk. Throws the Failures of openDiskSink (`disk-open-failed`); the sink's methods throw its sink's. */
  async open(spec: SinkSpec): Promise<ChunkSink> {
    const sink = ++this.#sinks;
    await this.#ask(sink, { step: 'open', spec });
    let over = false;
    let shared: ArrayBufferLike | null = null;
    const write: ChunkSink['write'] = async (chunk, index, sizeBytes) => {
      const memory = chunk.buffer;
      if (!(memory instanceof SharedArrayBuffer)) throw new TypeError('a writer thread needs chunks in shared memory');
      if (memory !== shared) await this.#ask(sink, { step: 'share', memory });
      shared = memory;
      await this.#ask(sink, { step: 'write', offset: chunk.byteOffset, index, sizeBytes });
    };
    return {
      write,
      begin: async (sizeBytes) => void (await this.#ask(sink, { step: 'begin', sizeBytes })),
      finish: async () => {
        const result = await this.#ask(sink, { step: 'finish' });
        over = true;
        return result ?? { effectiveBytes: 0, actualBytes: 0, writes: 0 };
      },
      abort: async () => {
        if (over) return;
        over = true;
        await this.#ask(sink, { step: 'abort' }).catch(() => undefined); // the failure that led here is the one to tell
      },
    };
  }

  /** Ends the thread; sinks that are still open fail. */
  async close(): Promise<void> {
    this.#die('it was closed');
    if (!this.#hasExited) await endThread(this.#worker);
  }

  #ask(sink: number, step: WriterStep): Promise<SinkResult | null> {
    return new Promise((resolve, reject) => {
      if (this.#dead) return reject(this.#dead);
      const id = ++this.#requests;
      this.#pending.set(id, { resolve, reject });
      this.#worker.postMessage({ id, sink, ...step } satisfies WriterRequest);
    });
  }

  #settle(reply: WriterReply): void {
    const pending = this.#pending.get(reply.id);
    this.#pending.delete(reply.id);
    if (reply.ok) pending?.resolve(reply.result);
    else pending?.reject(reply.failure ? failureFrom(reply.failure) : new Error(reply.message));
  }

  #die(why: string): void {
    this.#dead ??= fail('writer-crashed', `the thread that writes the disk ended: ${why}`);
    for (const { reject } of this.#pending.values()) reject(this.#dead);
    this.#pending.clear();
  }
}
