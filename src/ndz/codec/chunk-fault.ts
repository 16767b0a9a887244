import { Failure } from '../../util/errors.js';

/** What is wrong with a chunk itself, whatever it should be written to. */
const CHUNK_FAULTS: ReadonlySet<string> = new Set([
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
]);

/** Whether a sink refused a chunk for what is in it: the same chunk, received once more, may be good. */
export function isChunkFault(error: unknown): error is Failure {
  return error instanceof Failure && CHUNK_FAULTS.has(error.code);
}
