import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { missing, quotingTests, site, typed } from '../../helpers/completion-quoting.js';

describe('bash', () => quotingTests('bash'));
describe('fish', () => quotingTests('fish'));

test.skipIf(missing('bash') !== '')(`bash: a name that begins with a dash is offered where it is no option only${missing('bash')}`, () => {
  const script = 'source "$0/imaging.bash"; for COMP_LINE; do COMP_POINT=${#COMP_LINE}; _imaging; echo "${COMPREPLY[@]: -1}"; done';
  const { stdout } = spawnSync('bash', ['-uc', script, site, 'imaging-load -i ', 'imaging-load -i -r', 'imaging-load --image=-r'], {
    env: { ...process.env, PATH: `${join(site, 'bin')}${delimiter}${process.env.PATH}` },
    encoding: 'utf8',
  });
  expect(stdout).toBe('\\#hash\n\n-rf\\;touch\\ pwned\n');
});

test.skipIf(missing('bash') !== '')(`bash: files whose names a shell would run are one word too${missing('bash')}`, async () => {
  writeFileSync(join(site, 'here', 'afile;touch pwned;'), '');
  mkdirSync(join(site, 'here', 'bfolder$(touch pwned)'));
  const got = await typed('bash', [
    'imaging-load -i ./af\t',
    "imaging-load -i './af\t",
    'imaging-load -i "./af\t',
    'imaging-load -i ./bf\t',
  ]);
  expect(got).toEqual([...Array.from({ length: 3 }, () => ['-i', './afile;touch pwned;']), ['-i', './bfolder$(touch pwned)/']]);
  expect(readdirSync(join(site, 'here'))).not.toContain('pwned');
});
