import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { scratch } from '../helpers/cli.js';
import { killAndResume, spoilDisks, wrongDisks, type Round } from '../helpers/kill-resume.js';
import { testbedUp, type ChildTestbed } from '../helpers/testbed.js';

const ROUNDS = 10;
let testbed: ChildTestbed;
const env: Record<string, string> = {};
beforeAll(async () => {
  testbed = await testbedUp(4, '--size', '2', '--boot', '0.1');
  const quick = join(scratch(), 'quick.conf');
  writeFileSync(quick, '[nodes]\nidle_after_reset = 1\n[networking]\nping_command =\n');
  env.IMAGING_CONFIG = `${testbed.env.IMAGING_CONFIG}:${quick}`;
});
afterAll(() => testbed.close());

test('kill -9 of a load at ten random moments: resume makes every disk right, and nothing is left', async () => {
  const clean = await testbed.run('imaging-load', ['-i', 'demo', '1-4', '--progress', 'json'], env);
  expect(clean.code).toBe(0);
  expect(wrongDisks(testbed)).toEqual([]);
  spoilDisks(testbed);
  expect(wrongDisks(testbed)).toHaveLength(4); // so that right disks below prove something
  const rounds: Round[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const number = Math.floor(Math.random() * clean.events.length);
    rounds.push(await killAndResume(testbed, env, (load) => load.event((event) => event.seq >= number)));
  }
  const again = await testbed.run('imaging-runs', ['resume', rounds[0]?.run ?? ''], env);
  expect(again).toMatchObject({ code: 0, stdout: expect.stringContaining('nothing is left') });
}, 60_000);
