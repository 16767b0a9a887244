import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { bin } from '../helpers/cli.js';
import { testbedUp, type ChildTestbed } from '../helpers/testbed.js';

let testbed: ChildTestbed;
beforeAll(async () => {
  testbed = await testbedUp(3, '--on', '--fault', 'fit01:old-os-lingers:8', '--fault', 'fit02:ssh-refused');
});
afterAll(() => testbed.close());

test.skipIf(!existsSync('/dev/full'))('a run whose progress cannot be written asks every node all the same', () => {
  const { stdout, status } = spawnSync('sh', ['-c', `exec ${join(bin, 'imaging-wait')} 1-3 -t 10 2>/dev/full`], {
    env: { ...process.env, ...testbed.env },
    encoding: 'utf8',
  });
  expect([status, stdout]).toEqual([1, 'fit01:ssh OK\nfit02:ssh KO\nfit03:ssh OK\n']); // fit02 refuses whoever asks
});
