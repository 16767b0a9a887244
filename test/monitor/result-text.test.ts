import { expect, test } from 'vitest';
import { isEvent } from '../../src/events/is-event.js';
import type { LoadedResult, TargetResult, WhichAnswer } from '../../src/events/results.js';
import { doneText, resultText } from '../../src/monitor/result-text.js';

const loaded: LoadedResult = { type: 'loaded', image: 'demo', bytes: 23_540_000, writeMs: 1_030, verification: null, system: null };
const sample = { verified: true, mode: 'sample', ranges: 32, bytes: 19_600_000, ofBytes: 23_500_000, fromMemory: false } as const;
const full = { ...sample, mode: 'full', bytes: 23_500_000 } as const;
const up = { via: 'ssh', uptimeMs: 5_300, bootId: 'b' } as const;
const answer: WhichAnswer = { image: 'fedora-21', source: 'stamp', saved: null, load: null, cleanSince: null, why: null };
const saved = { savedAt: '2026-11-21@08:20', node: 'fit38', image: 'fedora-21', by: 'alice', comment: null };
const load = {
  run: 'R',
  name: 'f',
  path: '/f',
  digest: null,
  at: new Date('2026-11-26T09:15:00').getTime(),
  by: 'bob',
  verify: 'full',
  booted: true,
} as const;

const cases: [TargetResult, string][] = [
  [loaded, '23.5 MB written at 22.9 MB/s'],
  [{ ...loaded, verification: sample }, '23.5 MB written at 22.9 MB/s; verified: 32 ranges, 19.6 MB of 23.5 MB read back'],
  [
    { ...loaded, verification: { ...full, fromMemory: true } },
    '23.5 MB written at 22.9 MB/s; verified: all 23.5 MB read back, perhaps from memory',
  ],
  [
    { ...loaded, verification: { verified: false, missing: 'dd' } },
    '23.5 MB written at 22.9 MB/s; not verified: the PXE system of fit01 has no dd',
  ],
  [{ ...loaded, system: { ...up, image: 'demo', stamp: 'a - demo' } }, '23.5 MB written at 22.9 MB/s; ssh OK, up 5 s, running demo'],
  [{ ...loaded, system: { ...up, image: null, stamp: 'odd' } }, "23.5 MB written at 22.9 MB/s; ssh OK, up 5 s, running 'odd'"],
  [
    { ...loaded, system: { ...up, uptimeMs: null, image: null, stamp: null } },
    '23.5 MB written at 22.9 MB/s; ssh OK, when it booted is not known',
  ],
  [{ type: 'already-there', image: 'x', verifiedAt: null }, 'already there: the running system bears the stamp of the image'],
  [{ type: 'already-there', image: 'x', verifiedAt: 0 }, 'already there: loaded and read back 1970-01-01T00:00:00.000Z, running since'],
  [{ type: 'saved', path: '/i/x.ndz', bytes: 13_600_000, sha256: 'ab' }, '13.6 MB in /i/x.ndz'],
  [{ type: 'up', via: 'telnet', uptimeMs: 900, bootId: null }, 'telnet OK, up 1 s'],
  [{ type: 'card', answer: ' on\u001b[2J\n' }, 'on [2J'],
  [{ type: 'which', ...answer }, 'fedora-21'],
  [{ type: 'which', ...answer, saved, load }, 'fedora-21 (saved 2026-11-21 by alice, load run R)'],
  [
    { type: 'which', ...answer, source: 'record', load, cleanSince: false, why: 'refused' },
    'fedora-21 (on its disk: loaded 2026-11-26 09:15 by bob, run R, read back, reset or switched off since; refused)',
  ],
  [{ type: 'words', words: 'as it was said then' }, 'as it was said then'],
];

test.each(cases)('%j', (result, text) => {
  expect(resultText(result, 'fit01')).toBe(text);
  expect(isEvent({ at: 1, run: 'r', seq: 0, type: 'target.done', target: 'fit01', elapsedMs: 1, result })).toBe(true);
});

test('remarks follow, or stand alone; of what a later version says nothing is told', () => {
  expect(doneText({ name: 'a', result: { type: 'words', words: 'x' }, remarks: ['y', 'z'] })).toBe('x; y; z');
  expect(doneText({ name: 'a', result: null, remarks: ['y'] })).toBe('y');
  expect(doneText({ name: 'a', result: { type: 'burnt' } as unknown as TargetResult, remarks: [] })).toBe(''); // as: another version's
});

test.each([
  { type: 'saved', path: 5, bytes: 1, sha256: 'x' },
  { type: 'loaded', image: 'x', bytes: 1, writeMs: 1, verification: { verified: true }, system: null },
  { type: 'loaded', image: 'x', bytes: 1, writeMs: 1, verification: null, system: { via: 'ssh' } },
  { type: 'which', ...answer, saved: 'x' },
  { type: 'already-there', image: 'x', verifiedAt: 1e300 },
  { words: 'x' },
  'x',
  7,
])('is no result, whoever wrote it: %j', (result) =>
  expect(isEvent({ at: 1, run: 'r', seq: 0, type: 'target.done', target: 'fit01', elapsedMs: 1, result })).toBe(false),
);
