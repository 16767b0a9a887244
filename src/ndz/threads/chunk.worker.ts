import { workerData } from 'node:worker_threads';
import { DiskAccess } from '../../disk/disk-access.js';
import { InflateMemory } from '../codec/inflate-memory.js';
import type { ChunkJob, ChunkJobData } from './chunk-jobs.js';
import { chunkJob } from './chunk-work.js';
import { serveJobs } from './worker-side.js';

/** Inflates chunks, and writes or compares what comes out, off the main thread. */
const { image, target } = workerData as ChunkJobData; // only openChunkPool() starts this file
const memory = new InflateMemory();
const disk = target && (await DiskAccess.open(target));
const around = disk ? { finish: () => disk.finish(), end: () => disk.close() } : {};
serveJobs((job: ChunkJob) => chunkJob(job, { image, target, disk, memory }), around);
