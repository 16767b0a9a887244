import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { scratch } from '../helpers/cli.js';
import { testbedUp, type ChildTestbed } from '../helpers/testbed.js';

let testbed: ChildTestbed;
beforeAll(async () => {
  testbed = await testbedUp(2, '--on', '--boot', '0.2');
});
afterAll(() => testbed.close());

const noFull = existsSync('/dev/full') ? '' : ' (skipped: there is no /dev/full)';
const bash = (script: string, cwd = scratch()) =>
  spawnSync('bash', ['-c', script], { env: { ...process.env, ...testbed.env }, cwd, encoding: 'utf8', timeout: 60_000 });
const told = (text: string): number => text.split('cannot write to standard output').length - 1;

test.skipIf(noFull !== '')(
  `a load whose progress cannot be written goes on, and says so in its journal and its table${noFull}`,
  () => {
    const { status, stdout } = bash(
      'imaging-load -i demo 1-2 --verify none --progress plain 2>/dev/full; code=$?; imaging-runs events >events; exit $code',
    );
    expect(status).toBe(0);
    expect(stdout).toMatch(/^ok +2 +1-2$/m);
    expect(stdout.match(/progress could not be written to standard error: ENOSPC/g)).toHaveLength(1);
    const events = bash('imaging-runs events')
      .stdout.split('\n')
      .filter((line) => line.includes('"run.warning"') && line.includes('standard error'));
    expect(events).toHaveLength(1);
  },
  60_000,
);

test.skipIf(noFull !== '')(`a wait whose progress cannot be written asks the nodes all the same${noFull}`, () => {
  expect(bash('imaging-wait 1-2 -t 30 -v 2>/dev/full')).toMatchObject({ status: 0, stdout: 'fit01:ssh OK\nfit02:ssh OK\n' });
});

test.skipIf(noFull !== '').each(['plain', 'json', 'quiet'])(
  `results that cannot be written, --progress %s: the load goes on, one message, exit code 4${noFull}`,
  (mode) => {
    const { status, stderr } = bash(`imaging-load -i demo 1-2 --verify none --progress ${mode} >/dev/full`);
    expect(status).toBe(4);
    expect(told(stderr)).toBe(1);
    expect(bash('imaging-runs show last --json').stdout).toMatch(/"ok": \[\s+"fit01",\s+"fit02"\s+\]/);
    expect(testbed.links()).toEqual([]);
  },
  60_000,
);

test
  .skipIf(noFull !== '')
  .each([
    'imaging-nodes 1',
    'imaging-status 1',
    'imaging-status 1-2 --progress json',
    'imaging-load --dry-run -i demo 1',
    'imaging-list',
    'imaging-load --help',
    'imaging-runs',
    'imaging-monitor --json',
    'imaging-monitor',
    'imaging-doctor',
  ])(
  `%s: lost results are one message and exit code 4, on a full disk and when closed${noFull}`,
  (line) => {
    for (const where of ['>/dev/full', '>&-']) {
      const { status, stderr } = bash(`${line} ${where}`);
      expect({ where, status }).toEqual({ where, status: 4 });
      expect(told(stderr)).toBe(1);
      expect(stderr).not.toMatch(/interrupted|defect/);
    }
  },
  60_000,
);

test.skipIf(noFull !== '')(`a command that fails because of its output says so once${noFull}`, () => {
  const { status, stderr } = bash('imaging-image zip -q "$(dirname "$IMAGING_CONFIG")/nodes/fit01/disk.img" - >/dev/full');
  expect(status).toBe(4);
  expect(stderr.match(/ENOSPC/g)).toHaveLength(1);
});

test('a piece that only fits in part is a loss too', () => {
  const dir = scratch();
  const { status, stderr } = bash('ulimit -f 1; imaging-load --help >help', dir);
  expect(status).toBe(4);
  expect(stderr).toMatch(/cannot write to standard output: EFBIG/);
  expect(readFileSync(join(dir, 'help'))).toHaveLength(1024);
});

test('closed outputs: nothing else that is opened gets what belongs there', () => {
  const dir = scratch();
  const { status } = bash('imaging-status 1-2 -v >&- 2>&- <&-', dir);
  expect(status).toBe(4);
  const log = readFileSync(join(dir, 'imaging.log'), 'utf8');
  expect(log.split('\n').filter((line) => line !== '' && !/^\d{4}-\d\d-\d\dT/.test(line))).toEqual([]);
  expect(bash('imaging-status 1 2>&-')).toMatchObject({ status: 0, stdout: 'reboot01:on\n' });
  expect(bash('imaging-wait 1 -s >&-').status).toBe(0); // it has nothing to say
});
