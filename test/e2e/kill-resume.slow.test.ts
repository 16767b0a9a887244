import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { scratch } from '../helpers/cli.js';
import { killAndResume, spoilDisks, wrongDisks, type Round } from '../helpers/kill-resume.js';
import { testbedUp, type ChildTestbed } from '../helpers/testbed.js';

const ROUNDS = 10;
/** A load and up to four resumes, on a machine that is busy with other things. */
const ROUND_MS = 120_000;
let testbed: ChildTestbed;
const env: Record<string, string> = {};
beforeAll(async () => {
  testbed = await testbedUp(4, '--size', '2', '--boot', '0.1');
  const quick = join(scratch(), 'quick.conf');
  writeFileSync(quick, '[nodes]\nidle_after_reset = 1\n[networking]\nping_command =\n');
  env.IMAGING_CONFIG = `${testbed.env.IMAGING_CONFIG}:${quick}`;
});
afterAll(() => testbed.close());

let events = 0;
const rounds: Round[] = [];
test(
  'a load that nobody disturbs makes the disks that the rounds below spoil',
  async () => {
    const clean = await testbed.run('imaging-load', ['-i', 'demo', '1-4', '--progress', 'json'], env);
    expect(clean.code).toBe(0);
    events = clean.events.length;
    expect(wrongDisks(testbed)).toEqual([]);
    spoilDisks(testbed);
    expect(wrongDisks(testbed)).toHaveLength(4); // so that right disks below prove something
  },
  ROUND_MS,
);

// each round has a time-out of its own: on a machine that does other things as well, ten of them take minutes
test.each(Array.from({ length: ROUNDS }, (_, index) => [index + 1]))(
  'kill -9 of a load at a random moment (%i of 10): resume makes every disk right, and nothing is left',
  async () => {
    const number = Math.floor(Math.random() * events);
    rounds.push(await killAndResume(testbed, env, (load) => load.event((event) => event.seq >= number)));
  },
  ROUND_MS,
);

test('a run that was resumed to its end has nothing left', async () => {
  const run = rounds.find((round) => round.run !== null)?.run;
  const again = await testbed.run('imaging-runs', ['resume', run ?? 'no round had a plan'], env);
  expect(again).toMatchObject({ code: 0, stdout: expect.stringContaining('nothing is left') });
});
