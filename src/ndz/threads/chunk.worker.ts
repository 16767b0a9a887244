import { workerData } from 'node:worker_threads';
import { InflateMemory } from '../codec/inflate-memory.js';
import type { ChunkJob, ChunkJobData } from './chunk-jobs.js';
import { chunkJob } from './chunk-work.js';
import { serveJobs } from './worker-side.js';

/** Inflates chunks, and writes or compares what comes out, off the main thread. */
const data = workerData as ChunkJobData; // only openChunkPool() starts this file
const memory = new InflateMemory();
serveJobs((job: ChunkJob) => chunkJob(job, data, memory));
