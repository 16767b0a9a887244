import { CAPABILITIES } from '../../native/switches.js';
import { someOf } from '../kinds.js';
import { section } from '../section.js';

/** System calls. */
// biome-ignore format: a table, a key a line
export const native = section('native', {
  off: { key: 'off', kind: someOf(...CAPABILITIES, 'all'), default: '', status: 'new', meaning: 'what not to make system calls of its own for, or all: the portable way is taken instead; imaging-doctor says what is on. IMAGING_NATIVE_OFF does the same for one command' },
});
