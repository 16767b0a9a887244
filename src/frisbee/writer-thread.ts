import { Worker } from 'node:worker_threads';
import { workerPath } from '../util/dist.js';
import { type Failure, messageOf } from '../util/errors.js';
import type { ChunkOutput, OutputResult } from './chunk-output.js';
import type { OutputSpec, WriterReply, WriterRequest, WriterStep } from './writer-protocol.js';
import { fail } from './failures.js';
import { failureFrom } from '../util/failures.js';

type Pending = { resolve: (result: OutputResult | null) => void; reject: (error: Error) => void };

/**
 * A thread that inflates and writes, so that whoever receives is never kept from its socket. It can hold many outputs;
 * chunks must lie in shared memory.
 */
export class WriterThread {
  readonly #worker = new Worker(workerPath('frisbee-writer'));
  readonly #pending = new Map<number, Pending>();
  #requests = 0;
  #outputs = 0;
  #dead: Failure | null = null;

  constructor() {
    this.#worker.on('message', (reply: WriterReply) => this.#settle(reply));
    this.#worker.on('error', (error) => this.#die(messageOf(error)));
    this.#worker.on('exit', (code) => this.#die(`exit code ${code}`));
  }

  /** Opens a file or disk. Throws the Failures of openDiskSink (`disk-open-failed`); the output's methods throw its sink's. */
  async open(spec: OutputSpec): Promise<ChunkOutput> {
    const output = ++this.#outputs;
    await this.#ask(output, { step: 'open', spec });
    let over = false;
    let shared: ArrayBufferLike | null = null;
    const write: ChunkOutput['write'] = async (chunk, index, sizeBytes) => {
      const memory = chunk.buffer;
      if (!(memory instanceof SharedArrayBuffer)) throw new TypeError('a writer thread needs chunks in shared memory');
      if (memory !== shared) await this.#ask(output, { step: 'share', memory });
      shared = memory;
      await this.#ask(output, { step: 'write', offset: chunk.byteOffset, index, sizeBytes });
    };
    return {
      write,
      begin: async (sizeBytes) => void (await this.#ask(output, { step: 'begin', sizeBytes })),
      finish: async () => {
        const result = await this.#ask(output, { step: 'finish' });
        over = true;
        return result ?? { effectiveBytes: 0, actualBytes: 0, writes: 0 };
      },
      abort: async () => {
        if (over) return;
        over = true;
        await this.#ask(output, { step: 'abort' }).catch(() => undefined); // the failure that led here is the one to tell
      },
    };
  }

  /** Ends the thread; outputs that are still open fail. */
  async close(): Promise<void> {
    this.#die('it was closed');
    await this.#worker.terminate();
  }

  #ask(output: number, step: WriterStep): Promise<OutputResult | null> {
    return new Promise((resolve, reject) => {
      if (this.#dead) return reject(this.#dead);
      const id = ++this.#requests;
      this.#pending.set(id, { resolve, reject });
      this.#worker.postMessage({ id, output, ...step } satisfies WriterRequest);
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
