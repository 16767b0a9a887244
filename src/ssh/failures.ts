import { type CodeOf, failures } from '../util/failures.js';

/** What can fail with ssh. */
export const fail = failures('ssh', {
  'ssh-refused': {
    blame: 'node',
    cure: 'again',
    meaning: 'The node answers, but no sshd runs on it.',
    todo: 'Wait for it, or look whether its system starts an sshd.',
  },
  'ssh-timeout': {
    blame: 'node',
    cure: 'again',
    meaning: 'The sshd did not answer in time.',
    todo: 'Look whether the node is on, and what its system waits for.',
  },
  'ssh-unreachable': {
    blame: 'node',
    cure: 'again',
    meaning: 'The node cannot be reached.',
    todo: 'Look whether it is on, and its control network up.',
  },
  'ssh-closed': {
    blame: 'node',
    cure: 'again',
    meaning: 'The sshd closed the connection.',
    todo: 'Try again once the node has booted.',
  },
  'ssh-protocol': {
    blame: 'node',
    cure: 'again',
    meaning: 'What answers on the port does not talk ssh as it should.',
    todo: 'Look whether another service uses the port.',
  },
  'ssh-exec-failed': {
    blame: 'node',
    cure: 'again',
    meaning: 'The node let us in, and a command could not be run.',
    todo: 'Log in by hand, and look what its shell does.',
  },
  'ssh-shut-out': {
    blame: 'site',
    cure: 'again',
    meaning: 'The sshd shuts this machine out for a while, after too many connections that did not log in.',
    todo: 'Wait, and find who tries from here without a key that is let in.',
  },
  'ssh-auth-failed': {
    blame: 'site',
    cure: 'person',
    meaning: 'The system of the node does not let you in.',
    todo: 'Look whether the image accepts your key, and whether your agent has it.',
  },
  'ssh-no-algorithm': {
    blame: 'site',
    cure: 'person',
    meaning: 'The sshd of the image and this program have no algorithm in common.',
    todo: 'Allow one that is more common in the sshd_config of the image.',
  },
});
export type SshCode = CodeOf<typeof fail>;
