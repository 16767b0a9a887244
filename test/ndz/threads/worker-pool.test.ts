import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { onTestFinished, expect, test } from 'vitest';
import { WorkerPool, type PoolOptions } from '../../../src/ndz/threads/worker-pool.js';
import { temporaryFolder } from '../../helpers/images.js';
import type { FailureData } from '../../../src/util/failures.js';

/** A real worker thread that does what its job says. */
const WORKER = `
import { parentPort, threadId, workerData } from 'node:worker_threads';
parentPort.on('message', ({ id, job }) => {
  if (job.kind === 'throw') throw new Error('lost my mind');
  if (job.kind === 'exit') process.exit(7);
  if (job.kind === 'memory') for (const all = []; ;) all.push(new Array(1e6).fill(id));
  if (job.kind === 'fail') return parentPort.postMessage({ id, ok: false, message: 'it failed', failure: job.failure });
  if (job.kind === 'hang') for (;;);
  const end = performance.now() + (job.ms ?? 0);
  while (performance.now() < end);
  if (job.view) job.view[0] = threadId;
  parentPort.postMessage({ id, ok: true, result: { kind: job.kind, threadId, data: workerData } });
});
`;

type Job = { kind: string; ms?: number; view?: Uint8Array; failure?: FailureData };
type Result = { kind: string; threadId: number; data: unknown };

async function pool(options: Partial<PoolOptions> = {}): Promise<WorkerPool<Job, Result>> {
  const file = join(await temporaryFolder(), 'worker.mjs');
  await writeFile(file, WORKER);
  const opened = new WorkerPool<Job, Result>({ file, size: 2, does: 'work', ...options });
  onTestFinished(() => opened.close());
  return opened;
}

test('does jobs in several threads, which get its data and share memory', async () => {
  const view = new Uint8Array(new SharedArrayBuffer(1));
  const opened = await pool({ data: { x: 1 } });
  const results = await Promise.all(Array.from({ length: 20 }, () => opened.run({ kind: 'work', ms: 5, view })));
  expect(new Set(results.map(({ threadId }) => threadId)).size).toBe(2);
  expect(results.every(({ data }) => JSON.stringify(data) === '{"x":1}')).toBe(true);
  expect(view[0]).toBeGreaterThan(0);
});

test('starts no more threads than there is work for', async () => {
  const opened = await pool({ size: 8 });
  const ids = new Set<number>();
  for (let i = 0; i < 5; i++) ids.add((await opened.run({ kind: 'work' })).threadId);
  expect(ids.size).toBe(1);
});

test('does urgent jobs before those that wait', async () => {
  const opened = await pool({ size: 1 });
  const order: string[] = [];
  const note = ({ kind }: Result): void => void order.push(kind);
  const usual = Array.from({ length: 6 }, (_, i) => opened.run({ kind: `usual ${i}` }).then(note));
  await Promise.all([...usual, opened.run({ kind: 'urgent' }, { urgent: true }).then(note)]);
  expect(order.indexOf('urgent')).toBeLessThan(4);
});

test('a job that fails is one failure, with its code and what follows from it', async () => {
  const opened = await pool();
  const failure = { code: 'no-luck', message: 'it failed', hint: 'again', blame: 'run', cure: 'again' } as const;
  await expect(opened.run({ kind: 'fail', failure })).rejects.toThrow(expect.objectContaining({ name: 'Failure', ...failure }));
  expect((await opened.run({ kind: 'work' })).kind).toBe('work');
});

test.each([
  ['throw', 'lost my mind'],
  ['exit', 'exit code 7'],
  ['memory', 'memory limit'],
])(
  'a thread that dies (%s) fails its job, and those that come later',
  async (kind, words) => {
    const opened = await pool();
    const crashed: unknown = expect.objectContaining({ code: 'worker-crashed', message: expect.stringContaining(words) as unknown });
    const jobs = [opened.run({ kind }), ...Array.from({ length: 10 }, () => opened.run({ kind: 'work', ms: 50 }))];
    const outcomes = await Promise.allSettled(jobs);
    expect(outcomes[0]).toMatchObject({ status: 'rejected', reason: crashed });
    await expect(opened.run({ kind: 'work' })).rejects.toThrow(crashed as Error);
  },
  60_000,
);

test('closing ends threads that never end, and their jobs', async () => {
  const opened = await pool();
  const hanging = opened.run({ kind: 'hang' });
  hanging.catch(() => undefined);
  await opened.run({ kind: 'work' }); // the other thread is up
  await opened.close();
  await expect(hanging).rejects.toThrow('were ended');
  await expect(opened.run({ kind: 'work' })).rejects.toThrow('were ended');
  await opened.close();
});
