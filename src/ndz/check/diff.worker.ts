import { workerData } from 'node:worker_threads';
import { SpanDiffer, type DiffData, type DiffJob } from './diff-span.js';
import { serveJobs } from '../threads/worker-side.js';

/** Compares two images, span by span, off the main thread. */
const differ = new SpanDiffer(workerData as DiffData); // only diffImages() starts this file
serveJobs((job: DiffJob) => differ.diff(job));
