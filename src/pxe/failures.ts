import { failures } from '../util/failures.js';

/** What can fail in the folder of next-boot links. */
export const fail = failures('Next-boot links, and who has a node', {
  'node-busy': {
    blame: 'run',
    cure: 'person',
    meaning: 'Another run has the node in its hands.',
    todo: 'Wait for that run to end (--wait-lock does), or choose other nodes.',
    refusal: true,
  },
  'lock-lost': {
    blame: 'run',
    cure: 'person',
    meaning: 'The node does not belong to this run any more: another one took it over while this one stood still.',
    todo: 'Find out why this run was stopped for long, or cut off from the folder of next-boot links.',
  },
  'pxe-occupied': {
    blame: 'site',
    cure: 'person',
    meaning: 'Where the next-boot link goes lies a file that somebody wrote by hand.',
    todo: 'Move it away, or leave the node to whom it belongs to.',
  },
  'pxe-permission': {
    blame: 'site',
    cure: 'person',
    meaning: 'You may not write in the folder of next-boot links.',
    todo: 'Ask for its group, or for sudo.',
  },
  'pxe-failed': {
    blame: 'site',
    cure: 'person',
    meaning: 'Something in the folder of next-boot links cannot be read or written.',
    todo: 'See the cause in the message.',
  },
});
