import { failures } from '../util/failures.js';

/** What the command line itself waits for. */
export const fail = failures('The command line', {
  'agent-late': {
    blame: 'site',
    cure: 'again',
    meaning: 'The SSH agent did not answer.',
    todo: 'Look whether SSH_AUTH_SOCK leads to an agent that runs.',
  },
  'check-late': {
    blame: 'site',
    cure: 'again',
    meaning: 'A check of imaging-doctor did not end in its time.',
    todo: 'Look for a file system or server that hangs, in dmesg or with strace.',
  },
});
