import { availableParallelism } from 'node:os';
import { reasonOf, untilAborted } from '../../util/abort.js';
import { workerPath } from '../../util/dist.js';
import type { ChunkJob, ChunkJobData, ChunkJobResult } from './chunk-jobs.js';
import { WorkerPool } from './worker-pool.js';

export type ChunkPool = WorkerPool<ChunkJob, ChunkJobResult>;

/** Threads that work on an image's chunks; as many as there are processors unless told otherwise. */
export function openChunkPool(data: Partial<ChunkJobData>, workers = availableParallelism()): ChunkPool {
  return new WorkerPool({ file: workerPath('chunk'), size: workers, data: { image: null, target: null, ...data }, does: 'inflate' });
}

const AT_ONCE = 64;

/**
 * Does one job for each item, so many at a time that the pool is never idle and an abort never waits long. Rejects with
 * the first failure, or the signal's reason; close the pool then.
 */
export async function eachChunk<Item>(
  pool: ChunkPool,
  items: Iterable<Item> | AsyncIterable<Item>,
  jobOf: (item: Item) => ChunkJob,
  onDone: (result: ChunkJobResult, item: Item) => void,
  signal?: AbortSignal,
  atOnce = AT_ONCE,
): Promise<void> {
  const running = new Set<Promise<void>>();
  const unlessAborted = <T>(promise: Promise<T>): Promise<T> => (signal ? untilAborted(signal, promise) : promise);
  let fail: (error: unknown) => void = () => undefined;
  const failure = new Promise<never>((_, reject) => (fail = reject));
  failure.catch(() => undefined); // thrown where it is waited for
  const iterator = iterate(items);
  for (;;) {
    if (signal?.aborted) throw reasonOf(signal);
    // a pipe may be silent for ever: a disk that fails meanwhile must end this too
    const next = await unlessAborted(Promise.race([iterator.next(), failure]));
    if (next.done) break;
    const item = next.value;
    const work = pool.run(jobOf(item)).then((result) => {
      running.delete(work);
      onDone(result, item);
    });
    work.catch(fail);
    running.add(work);
    if (running.size >= atOnce) await unlessAborted(Promise.race(running));
  }
  await unlessAborted(Promise.all(running));
}

async function* iterate<Item>(items: Iterable<Item> | AsyncIterable<Item>): AsyncGenerator<Item> {
  yield* items;
}
