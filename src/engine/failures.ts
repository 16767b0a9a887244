import { type CodeOf, failures } from '../util/failures.js';

/** What ends work that nothing else ends; `<step>-deadline` for each step. */
export const fail = failures('Deadlines', {
  'given-up': {
    blame: 'run',
    cure: 'person',
    meaning: 'Enough others were done (--min-success), and this one was not waited for any longer.',
    todo: 'Do it later, with imaging-runs resume.',
  },
  'target-deadline': {
    blame: 'node',
    cure: 'again',
    meaning: 'It was not done in the time it has for all its attempts together.',
    todo: 'See in the message what was seen last, or give it more time with -t.',
  },
  'attempt-deadline': {
    blame: 'node',
    cure: 'again',
    meaning: 'One attempt took too long.',
    todo: 'See in the message what was seen last, or give it more time with -t.',
  },
  'lock-deadline': {
    blame: 'site',
    cure: 'again',
    meaning: 'Nobody could tell in time whether the run may have it.',
    todo: 'Look whether the folder of next-boot links or the lease server hangs.',
  },
  'pxe-deadline': {
    blame: 'site',
    cure: 'again',
    meaning: 'Its next-boot link could not be placed in time.',
    todo: 'Look whether the folder of next-boot links hangs, as NFS may.',
  },
  'ssh-deadline': {
    blame: 'node',
    cure: 'person',
    meaning: 'Its system did not let ssh in in time.',
    todo: 'See in the message what was seen last, and whether the image starts an sshd.',
  },
  '*-deadline': {
    blame: 'node',
    cure: 'again',
    meaning: 'A step, which the code names, was not done in time.',
    todo: 'See in the message what was seen last.',
  },
});
export type EngineCode = CodeOf<typeof fail>;
