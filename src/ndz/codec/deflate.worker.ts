import { deflateJob } from './deflate-units.js';
import { serveJobs } from '../threads/worker-side.js';

/** Compresses, off the main thread and outside the pool that file I/O uses. */
serveJobs(deflateJob);
