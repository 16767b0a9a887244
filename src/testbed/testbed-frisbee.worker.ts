import { availableParallelism } from 'node:os';
import { Writable } from 'node:stream';
import { parentPort, workerData } from 'node:worker_threads';
import type { ChunkSink } from '../ndz/apply/chunk-sink.js';
import { createClientHub } from '../frisbee/receive.js';
import { WriterThread } from '../frisbee/writer-thread.js';
import { runFrisbee, type FrisbeeOverrides } from '../programs/frisbee.js';
import { NodeDisk } from './disk.js';
import { FaultySink } from './faulty-sink.js';
import type { FrisbeeJob, FrisbeeThreadData, FromFrisbeeThread, ToFrisbeeThread } from './frisbee-jobs.js';
import { DISK_DEVICE } from './ramdisk.js';
import { fail as diskFail } from '../disk/failures.js';

type Running = { job: FrisbeeJob; abort: AbortController; done: Promise<void> };

const { loopback } = workerData as FrisbeeThreadData; // only FrisbeeThread starts this file
const running = new Map<number, Running>();
const hub = loopback ? createClientHub() : null;
/** A thread inflates and writes for many nodes; more of them where there are cores for it. */
const writers = Array.from({ length: Math.max(1, Math.min(4, availableParallelism() - 2)) }, () => new WriterThread());

function writerFor(id: number): WriterThread {
  const writer = writers[id % writers.length];
  if (!writer) throw new Error('no writer');
  return writer;
}

function say(message: FromFrisbeeThread): void {
  parentPort?.postMessage(message);
}

/** A client that was stopped takes a moment to leave; the node's next one waits for it. */
async function stoppedBefore(diskPath: string): Promise<void> {
  const leaving = [...running.values()].filter(({ job, abort }) => job.diskPath === diskPath && abort.signal.aborted);
  await Promise.all(leaving.map(({ done }) => done));
}

function start(id: number, job: FrisbeeJob): void {
  const entry: Running = { job, abort: new AbortController(), done: Promise.resolve() };
  const free = stoppedBefore(job.diskPath);
  running.set(id, entry);
  entry.done = free
    .then(() => runFrisbee(job.args, ioFor(id, entry.abort.signal), overridesFor(id, entry)))
    .then(
      (status) => say({ kind: 'ended', id, status }),
      (error: unknown) => {
        say({ kind: 'text', id, text: `frisbee: ${String(error)}\n` });
        say({ kind: 'ended', id, status: 134 });
      },
    )
    .finally(() => running.delete(id));
}

function ioFor(id: number, signal: AbortSignal): Parameters<typeof runFrisbee>[1] {
  const stderr = new Writable({
    decodeStrings: false,
    write(chunk, _encoding, done) {
      say({ kind: 'text', id, text: String(chunk) });
      done();
    },
  });
  return { stdout: stderr, stderr, signal };
}

function overridesFor(id: number, entry: Running): FrisbeeOverrides {
  const { diskPath, faults, lossRate, lossSeed } = entry.job;
  return {
    env: { IMAGING_FRISBEE_LOOPBACK: loopback ? '1' : '0' },
    receiveOptions: { lossRate, lossSeed },
    ...(hub ? { receive: (options) => hub.receive(options) } : {}),
    openOutput: async (path, options): Promise<ChunkSink> => {
      if (path !== DISK_DEVICE) throw diskFail('disk-open-failed', `opening output file ${path}: No such file or directory`);
      const open = (): Promise<ChunkSink> => {
        new NodeDisk(diskPath).markIncomplete();
        return writerFor(id).open({ path: diskPath, ...options });
      };
      return new FaultySink(
        open,
        faults,
        () => say({ kind: 'dropped', id }),
        (sector) => new NodeDisk(diskPath).corrupt(sector),
      );
    },
  };
}

async function close(): Promise<void> {
  for (const { abort } of running.values()) abort.abort(new Error('the testbed closes'));
  await Promise.all([...running.values()].map(({ done }) => done));
  await hub?.close();
  for (const writer of writers) await writer.close();
  say({ kind: 'closed' });
}

parentPort?.on('message', (message: ToFrisbeeThread) => {
  if (message.kind === 'start') return start(message.id, message.job);
  if (message.kind === 'close') return void close();
  running.get(message.id)?.abort.abort(new Error('stopped'));
});
