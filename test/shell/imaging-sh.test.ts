import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { packageRoot } from '../../src/util/dist.js';
import { bin, scratch } from '../helpers/cli.js';

const functions = join(packageRoot, 'etc/shell/imaging.sh');

/** What a script left behind: its output, its exit code, and NODES at its end (null when unset). */
type Left = { stdout: string; stderr: string; code: number | null; nodes: string | null };

let path: string;
let config: string;
beforeAll(() => {
  const root = scratch();
  mkdirSync(join(root, 'bin'));
  // the real command asks power cards; this one says what a card would, and keeps what it was asked
  writeFileSync(
    join(root, 'bin/imaging-status'),
    '#!/bin/sh\nprintf "%s\\n" "asked $*, NODES=${NODES-}" >&2\nprintf "%b" "$STATUS"\nexit "${STATUS_CODE:-0}"\n',
  );
  chmodSync(join(root, 'bin/imaging-status'), 0o755);
  config = join(root, 'imaging.conf');
  writeFileSync(config, '[testbed]\nall_scope = 1-5 ~3\n');
  path = [join(root, 'bin'), bin, process.env.PATH].join(delimiter);
});

function bash(script: string, env: Record<string, string> = {}, options = '-eu'): Left {
  const text = `set ${options}; . '${functions}'; trap 'printf "left %s\\n" "\${NODES-unset}"' EXIT\n${script}\n`;
  const { stdout, stderr, status } = spawnSync('bash', ['--norc', '-c', text], {
    encoding: 'utf8',
    env: { PATH: path, HOME: '/', IMAGING_CONFIG: config, ...env },
    timeout: 60_000,
  });
  const end = stdout.lastIndexOf('left ');
  const nodes = stdout.slice(end + 5, -1);
  return { stdout: stdout.slice(0, end), stderr, code: status, nodes: nodes === 'unset' ? null : nodes };
}

const exported = (...names: string[]): string => `export NODES="${names.join(' ')}"\nexport NBNODES=${names.length}\n`;

describe('nodes', () => {
  test('sets NODES to what the specs mean, and shows it', () => {
    expect(bash('nodes 1-3 ~2')).toEqual({ stdout: exported('fit01', 'fit03'), stderr: '', code: 0, nodes: 'fit01 fit03' });
    expect(bash('nodes 7 >/dev/null; bash -c \'echo "$NODES $NBNODES"\'').stdout).toBe('fit07 1\n');
  });

  test('only shows NODES without arguments', () => {
    expect(bash('nodes', { NODES: 'fit01 fit02' })).toMatchObject({ stdout: exported('fit01', 'fit02'), code: 0, nodes: 'fit01 fit02' });
    expect(bash('nodes', { NODES: '' })).toMatchObject({ stdout: exported(), code: 0 });
    expect(bash('nodes')).toMatchObject({ stdout: '# NODES is not set\n', code: 0, nodes: null });
  });

  test('may come out empty', () => {
    expect(bash('nodes 1-3 ~1-3', { NODES: 'fit09' })).toMatchObject({ stdout: exported(), code: 0, nodes: '' });
  });

  test('leaves NODES alone on a mistake, with its exit code', () => {
    const left = bash('nodes 1 ubuntu || echo "code $?"', { NODES: 'fit09' });
    expect(left).toMatchObject({ stdout: 'code 2\n', nodes: 'fit09' });
    expect(left.stderr).toContain('did you forget -i?');
    expect(bash('nodes ubuntu; echo went on', { NODES: 'fit09' })).toMatchObject({ stdout: '', code: 2, nodes: 'fit09' });
    expect(bash('nodes 1', { IMAGING_CONFIG: '/nowhere' })).toMatchObject({ code: 4, nodes: null });
    expect(bash('PATH=/nowhere; nodes 1')).toMatchObject({ code: 127, nodes: null });
  });

  test('works whatever IFS and options the shell has', () => {
    expect(bash('IFS=:; nodes 1-3 ~2; nodes+ 5', {}, '-euf -o pipefail')).toMatchObject({
      stdout: exported('fit01', 'fit03') + exported('fit01', 'fit03', 'fit05'),
      nodes: 'fit01 fit03 fit05',
    });
    expect(bash('nodes 1-3; echo "$?"', {}, '+eu')).toMatchObject({ code: 0, nodes: 'fit01 fit02 fit03' });
  });

  test('all-nodes sets all of them', () => {
    expect(bash('all-nodes')).toMatchObject({ stdout: exported('fit01', 'fit02', 'fit04', 'fit05'), nodes: 'fit01 fit02 fit04 fit05' });
    expect(bash('all-nodes', { ALL_NODES: '7,8' }).nodes).toBe('fit07 fit08');
    writeFileSync(`${config}.empty`, '');
    expect(bash('all-nodes', { NODES: 'fit09', IMAGING_CONFIG: `${config}.empty` })).toMatchObject({ code: 2, nodes: 'fit09' });
  });

  test('nodes+ adds and nodes- takes out', () => {
    expect(bash('nodes+ 7 8', { NODES: ' fit01\tfit02\n' }).nodes).toBe('fit01 fit02 fit07 fit08');
    expect(bash('nodes+ 7').nodes).toBe('fit07');
    expect(bash('nodes- 1,3-4 fit6', { NODES: 'fit01 fit02 fit03 fit04 fit05 fit06' }).nodes).toBe('fit02 fit05');
    expect(bash('nodes- 1', { NODES: 'fit01' })).toMatchObject({ stdout: exported(), nodes: '' });
    expect(bash('nodes- ubuntu', { NODES: 'fit01' })).toMatchObject({ code: 2, nodes: 'fit01' });
  });
});

describe('the nodes that are on', () => {
  const STATUS = 'reboot01:on\\nreboot02:off\\nreboot12:on\\n';

  test('are shown and focused on', () => {
    expect(bash('show-nodes-on', { STATUS, NODES: 'fit01 fit02 fit12' })).toEqual({
      stdout: 'fit01 fit12\n',
      stderr: 'asked , NODES=fit01 fit02 fit12\n',
      code: 0,
      nodes: 'fit01 fit02 fit12',
    });
    expect(bash('focus-nodes-on', { STATUS, NODES: 'fit01 fit02 fit12' })).toMatchObject({
      stdout: exported('fit01', 'fit12'),
      code: 0,
      nodes: 'fit01 fit12',
    });
    expect(bash('focus-nodes-on 1-12', { STATUS })).toMatchObject({ stderr: 'asked 1-12, NODES=\n', nodes: 'fit01 fit12' });
  });

  test('may be none', () => {
    expect(bash('focus-nodes-on', { STATUS: 'reboot01:off\\n', NODES: 'fit01' })).toMatchObject({ stdout: exported(), code: 0, nodes: '' });
    expect(bash('show-nodes-on', { STATUS: '', NODES: 'fit01' })).toMatchObject({ stdout: '', code: 0 });
  });

  test('are those that are known to be on when cards do not answer, and the exit code is 1', () => {
    const env = {
      STATUS: `${STATUS}reboot03:status N/A\\nreboot04:CM card busy: on\\n`,
      STATUS_CODE: '1',
      NODES: 'fit01 fit02 fit03 fit12',
    };
    expect(bash('show-nodes-on', env)).toMatchObject({ stdout: 'fit01 fit12\n', code: 1 });
    expect(bash('focus-nodes-on || echo "code $?"', env)).toMatchObject({
      stdout: `${exported('fit01', 'fit12')}code 1\n`,
      nodes: 'fit01 fit12',
    });
  });

  test('leave NODES alone when they could not be asked', () => {
    for (const code of [2, 4, 130]) {
      const env = { STATUS, STATUS_CODE: String(code), NODES: 'fit09' };
      expect(bash('focus-nodes-on', env)).toMatchObject({ stdout: '', code, nodes: 'fit09' });
      expect(bash('show-nodes-on', env)).toMatchObject({ stdout: '', code });
    }
  });

  test('follow one another in a script', () => {
    const script = 'all-nodes >/dev/null; focus-nodes-on >/dev/null; echo "load $NODES"';
    expect(bash(script, { STATUS }).stdout).toBe('load fit01 fit12\n');
    expect(bash(script, { STATUS, STATUS_CODE: '4' })).toMatchObject({ stdout: '', code: 4 });
  });
});

test('another shell is told that bash is needed', () => {
  const { status, stderr } = spawnSync(
    'sh',
    ['-c', `if [ -n "\${BASH_VERSION-}" ]; then echo need bash >&2; exit 4; fi; . '${functions}'`],
    { encoding: 'utf8' },
  );
  expect(stderr).toContain('need bash');
  expect(status).toBe(4);
});
