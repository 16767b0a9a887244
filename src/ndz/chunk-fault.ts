import type { Failure } from '../util/errors.js';
import { fail, type NdzCode } from './failures.js';

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
