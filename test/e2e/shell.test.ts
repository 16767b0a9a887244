import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { scratch } from '../helpers/cli.js';
import { testbedUp, type ChildTestbed } from '../helpers/testbed.js';

const functions = fileURLToPath(new URL('../../etc/shell/imaging.sh', import.meta.url));

let testbed: ChildTestbed;
beforeAll(async () => {
  testbed = await testbedUp(3);
});
afterAll(() => testbed.close());

function bash(script: string) {
  return spawnSync('bash', ['-c', `. ${functions}\n${script}`], {
    env: { ...process.env, NODES: '', ALL_NODES: '', ...testbed.env },
    cwd: scratch(),
    encoding: 'utf8',
    timeout: 60_000,
  });
}

test('all-nodes; focus-nodes-on; imaging-load && imaging-wait', () => {
  expect(bash('imaging-on 1 3').status).toBe(0);
  const result = bash(
    'all-nodes; focus-nodes-on; echo "NODES=$NODES"; imaging-load -i demo --progress quiet && imaging-wait --progress quiet',
  );
  expect(result.stderr).toBe('');
  expect(result.status).toBe(0);
  expect(result.stdout).toContain('NODES=fit01 fit03');
  expect(result.stdout).toMatch(/ok +2 +1,3/);
  expect(result.stdout).toContain('fit01:ssh OK\nfit03:ssh OK\n');
});

test('a load that fails keeps a script from going on', () => {
  const result = bash('nodes 1 >/dev/null; imaging-load -i nothing-like-it && echo WENT-ON');
  expect(result.status).toBe(4);
  expect(result.stdout).not.toContain('WENT-ON');
});
