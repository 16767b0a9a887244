import type { DiskSinkOptions } from '../ndz/sink.js';
import type { FailureData } from '../util/failures.js';
import type { OutputResult } from './chunk-output.js';

/** A file or disk that a writer thread opens. */
export type OutputSpec = Omit<DiskSinkOptions, 'signal'> & {
  path: string;
  /** Write the bytes as they are: no image format, nothing is inflated. */
  raw?: boolean;
};

/** What a writer thread is asked, one step at a time per output but `abort`. */
export type WriterRequest = { id: number; output: number } & WriterStep;

export type WriterStep =
  | { step: 'open'; spec: OutputSpec }
  | { step: 'begin'; sizeBytes: number }
  /** From here on, writes mean places in this memory. */
  | { step: 'share'; memory: SharedArrayBuffer }
  | { step: 'write' /** where the chunk begins in the shared memory */; offset: number; index: number; sizeBytes: number }
  | { step: 'finish' }
  | { step: 'abort' };

/** What it answers to the request of the same id. */
export type WriterReply = { id: number } & (
  | { ok: true; result: OutputResult | null }
  | { ok: false; failure: FailureData | null; message: string }
);
