import { type CodeIn, type Fail, failures } from '../util/failures.js';

const table = {
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
} as const;

type CliCode = CodeIn<typeof table>;
/** What the command line itself waits for. */
export const fail: Fail<CliCode> = failures('The command line', table);
