import { expect, test } from 'vitest';
import type { ImagingEvent } from '../../src/events/types.js';
import { run } from '../helpers/cli.js';

const finishedOf = (events: ImagingEvent[]) => events.find((event) => event.type === 'run.finished');

test('37 nodes with faults: the bad ones are named, the others do not wait for them', async () => {
  const faults = ['fit05:cmc-silent', 'fit09:drop-at:40', 'fit11:reset-ignored'].flatMap((fault) => ['--fault', fault]);
  const { code, events } = await run('imaging-testbed', [
    'run',
    '37',
    '--on',
    ...faults,
    '--',
    'imaging-load',
    '-i',
    'demo',
    '1-37',
    '--progress',
    'json',
  ]);
  const finished = finishedOf(events);
  expect(code).toBe(1);
  expect(finished?.type === 'run.finished' && finished.ok).toHaveLength(35);
  const failures = events.flatMap((event) => (event.type === 'target.failed' ? [[event.target, event.step, event.code]] : []));
  expect(failures.sort()).toEqual([
    ['fit05', 'reset', 'cmc-timeout'],
    ['fit09', 'write', expect.stringMatching(/write-stalled|telnet-closed/)],
  ]);
  expect(events.some((event) => event.type === 'target.retry' && event.target === 'fit11' && /off and on/.test(event.reason))).toBe(true);
}, 90_000);
