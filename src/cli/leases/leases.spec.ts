import { commandSpec } from '../kit/command.js';

export const leasesSpec = commandSpec({
  name: 'leases',
  summary: 'show, book, cancel and check leases: who has the testbed when',
  exits: { failed: 'check: there is no lease on all of the nodes', ended: 'what was asked of the backend by then may have been done' },
  words: 'list | book FROM UNTIL | cancel ID | check [node ...]',
  options: {
    all: { type: 'boolean', alias: 'a', describe: 'list: those that have ended, too' },
    nodes: {
      type: 'string',
      alias: 'n',
      value: 'SPEC',
      describe: 'book: only these nodes (default: the whole testbed), with the local backend',
    },
    slice: { type: 'string', alias: 's', value: 'LOGIN', describe: 'book: for LOGIN (default: you)' },
    json: { type: 'boolean', describe: 'the result as JSON' },
  },
  examples: [
    ['imaging-leases list', 'who has the testbed, now and later; a star is before yours'],
    ['imaging-leases book 14 15:30', 'from 14:00 until 15:30 today'],
    ['imaging-leases book now +2h --nodes 1-12', 'twelve nodes for two hours, at once'],
    ['imaging-leases book 27T22 2', 'from 22:00 on the 27th until 2:00 the next morning'],
    ['imaging-leases check 1-12 && imaging-load 1-12', 'exits 1 without a lease on all of them'],
  ],
});
