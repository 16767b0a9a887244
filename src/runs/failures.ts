import { failures } from '../util/failures.js';

/** What can fail with the records of runs. */
export const fail = failures('Records', {
  'no-boot-record': {
    blame: 'site',
    cure: 'person',
    meaning: 'It cannot be recorded that a node was told to reboot.',
    todo: 'Set runs.dir to a folder that you may write.',
  },
  'no-image-record': {
    blame: 'site',
    cure: 'person',
    meaning: 'It cannot be recorded what is loaded onto a node.',
    todo: 'Set runs.dir to a folder that you may write.',
  },
});
