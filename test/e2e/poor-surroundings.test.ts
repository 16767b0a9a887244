import { spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { bin, scratch } from '../helpers/cli.js';

const bash = (script: string) =>
  spawnSync('bash', ['-c', script], {
    env: { ...process.env, PATH: `${bin}:${process.env.PATH}` },
    cwd: scratch(),
    encoding: 'utf8',
    timeout: 60_000,
  });

test.each([16, 17, 20, 24, 28, 50, 76, 95])('%i open files are too few: exit code 4, and words', (limit) => {
  const { status, stderr } = bash(`ulimit -n ${limit}; imaging-nodes 1-3`);
  expect(status).toBe(4);
  expect(stderr).toMatch(/^imaging: too few files .*ulimit -n.*\n$/);
});

test('96 are enough to begin, and a soft limit is no limit', () => {
  expect(bash('ulimit -n 96; imaging-nodes 1-3')).toMatchObject({ status: 0, stdout: 'fit01 fit02 fit03\n' });
  expect(bash('ulimit -Sn 20; imaging-nodes 1-3')).toMatchObject({ status: 0, stdout: 'fit01 fit02 fit03\n' });
});

test.each(['imaging-nodes 1', 'imaging-load --help', 'imaging-config', 'imaging nodes 1', 'imaging-image info x.ndz'])(
  '%s in a folder that is gone: exit code 4, and words',
  (line) => {
    const { status, stdout, stderr } = bash(`mkdir gone; cd gone; rmdir ../gone; ${line}`);
    expect(status).toBe(4);
    expect(stdout).toBe('');
    expect(stderr).toMatch(/^imaging: the current folder is gone\n {2}cd to another one$/m);
    expect(stderr).not.toContain('defect');
  },
);
