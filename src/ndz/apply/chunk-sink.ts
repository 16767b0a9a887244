import type { WriteStats } from '../../disk/writer.js';
import type { Failure } from '../../util/errors.js';
import { fail, type NdzCode } from '../failures.js';

/**
 * Where the chunks of one image, or of a file that is sent as it is, go. Calls must not overlap, but `abort` may come at any
 * time. After a failure only `abort` is left to do, unless it is one of `isChunkFault`: then that chunk counts as not written,
 * and may be written again when it has come anew.
 */
export interface ChunkSink {
  /** Says how long the image is, where that is known before its first chunk. */
  begin?(imageBytes: number): Promise<void>;
  /**
   * Takes one chunk, number `position` of the image; they may come in any order, each once. Of the memory of `chunk`, always
   * 1 MiB, `sizeBytes` count: all, but at the end of a file that is no image. Resolves when it may be reused.
   */
  write(chunk: Uint8Array, position: number, sizeBytes: number): Promise<void>;
  /** Call when every chunk was written: everything reaches the medium, the sink closes. */
  finish(): Promise<SinkResult>;
  /** Gives up: waits for what is under way and closes. What was written stays. May be called at any time, twice too. */
  abort(): Promise<void>;
}

/** The numbers of "Wrote E bytes (A actual)". */
export type SinkResult = {
  /** E: the space the image speaks for, free space included. */
  effectiveBytes: number;
  /** A: the bytes written; with zero fill also the zeros. */
  actualBytes: number;
  /** Write calls it took. */
  writes: number;
  /** Lines for people: what was cut, what else was done. */
  notes?: readonly string[];
};

/** What our own sinks know beyond that. */
export type WriterResult = SinkResult &
  WriteStats & {
    /** Bytes that came out of the compressed streams. */
    inflatedBytes: number;
  };

/** A sink of ours. What number an image's chunk has, it says itself. */
export interface WriterSink extends ChunkSink {
  write(chunk: Uint8Array, position?: number, sizeBytes?: number): Promise<void>;
  finish(): Promise<WriterResult>;
}

/** What is wrong with a chunk itself, whatever it should be written to. */
const CHUNK_FAULTS: readonly NdzCode[] = [
  'ndz-truncated',
  'ndz-bad-magic',
  'ndz-bad-header',
  'ndz-encrypted',
  'ndz-checksum',
  'ndz-bad-stream',
  'ndz-chunk-order',
  'ndz-uuid-mismatch',
  'ndz-foreign-image',
  'ndz-relocation',
];

/** Whether a sink refused a chunk for what is in it: the same chunk, received once more, may be good. */
export function isChunkFault(error: unknown): error is Failure {
  return fail.is(error, ...CHUNK_FAULTS);
}
