import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { commands } from '../../../src/cli/table.js';
import { generatedFiles } from '../../../src/cli/manual/generated-files.js';
import { bin, run, scratch } from '../../helpers/cli.js';
import { someNodes } from '../../helpers/nodes.js';

const files = generatedFiles('1.2.3');
const generated = (path: string): string => files.get(path) ?? '';

/** A site with three nodes, a group, two images and an alias; `imaging` is the real one, and each start of it a line in `calls`. */
let site: { dir: string; env: NodeJS.ProcessEnv; calls: () => string[] };
beforeAll(() => {
  const dir = scratch();
  mkdirSync(join(dir, 'images'));
  mkdirSync(join(dir, 'bin'));
  for (const name of ['fedora-21.ndz', 'ubuntu.ndz']) writeFileSync(join(dir, 'images', name), '');
  symlinkSync('ubuntu.ndz', join(dir, 'images/default.ndz'));
  writeFileSync(join(dir, 'inventory.json'), JSON.stringify(someNodes(1, 3).map(({ cmc, control }) => ({ cmc, control }))));
  writeFileSync(
    join(dir, 'site.conf'),
    '[testbed]\ninventory_path = inventory.json\n[frisbee]\nimages_dir = images\n[runs]\ndir = state\n[groups]\nusrp = 1,3\n',
  );
  for (const file of ['imaging.bash', '_imaging', 'imaging.fish']) writeFileSync(join(dir, file), generated(`completions/${file}`));
  writeFileSync(join(dir, 'bin/imaging'), `#!/bin/sh\necho "$*" >>'${dir}/calls'\nexec '${bin}/imaging' "$@"\n`);
  chmodSync(join(dir, 'bin/imaging'), 0o755);
  const calls = join(dir, 'calls');
  const env = {
    ...process.env,
    HOME: dir,
    IMAGING_CONFIG: join(dir, 'site.conf'),
    PATH: `${join(dir, 'bin')}${delimiter}${process.env.PATH}`,
  };
  site = { dir, env, calls: () => (existsSync(calls) ? readFileSync(calls, 'utf8').trim().split('\n') : []) };
});

/** What bash would offer for each line when TAB is pressed at its end, all in one shell. */
function bash(...lines: string[]): Record<string, string[]> {
  const script = `source '${site.dir}/imaging.bash'
for line; do
  COMP_LINE=$line COMP_POINT=\${#line} COMPREPLY=()
  _imaging
  printf '%s\\0' "$line" "\${COMPREPLY[*]}"
done`;
  const { stdout, stderr, status } = spawnSync('bash', ['--norc', '-uc', script, 'bash', ...lines], {
    env: site.env,
    cwd: site.dir,
    encoding: 'utf8',
  });
  if (status !== 0 || stderr !== '') throw new Error(`bash ended with ${status}: ${stderr}`);
  const parts = stdout.split('\0');
  return Object.fromEntries(lines.map((line, index) => [line, (parts[2 * index + 1] ?? '').split(' ').filter((word) => word !== '')]));
}

test('bash: what the table knows comes without starting node', () => {
  const before = site.calls().length;
  expect(
    bash(
      'imaging-load --im',
      'imaging-load --progress ',
      'imaging-load --progress=pl',
      'imaging sta',
      '/usr/bin/imaging-runs re',
      'imaging-config netw',
      'imaging completion ',
      'imaging-completion --words i',
      'load-image --min',
      'imaging help doc',
      'imaging-status -',
      'imaging-demo ',
    ),
  ).toEqual({
    'imaging-load --im': ['--image'],
    'imaging-load --progress ': ['auto', 'tty', 'plain', 'quiet', 'json'],
    'imaging-load --progress=pl': ['plain'], // bash cuts words at =, and puts this behind it
    'imaging sta': ['status'],
    '/usr/bin/imaging-runs re': ['replay', 'resume', 'release'],
    'imaging-config netw': ['networking'],
    'imaging completion ': ['bash', 'zsh', 'fish'],
    'imaging-completion --words i': ['images'],
    'load-image --min': ['--min-success'],
    'imaging help doc': ['doctor'],
    'imaging-status -': ['--all-nodes', '-a', '--progress', '--curses', '-c', '--verbose', '-v', '--timeout', '-t', '--help', '-h'],
    'imaging-demo ': [],
  });
  expect(site.calls().length).toBe(before);
});

test('bash: names of nodes, groups and images as they are now, asked for once', () => {
  const before = site.calls().length;
  expect(
    bash(
      'imaging-load fit0',
      'imaging-load -i fedora-21 1,~fit0',
      'imaging wait @us',
      'imaging-runs release fit03',
      'imaging-load -i ',
      'imaging-load --image=ub',
      'imaging-image unzip fed',
      'imaging-list d',
    ),
  ).toEqual({
    'imaging-load fit0': ['fit01', 'fit02', 'fit03'],
    'imaging-load -i fedora-21 1,~fit0': ['1,~fit01', '1,~fit02', '1,~fit03'],
    'imaging wait @us': ['@usrp'],
    'imaging-runs release fit03': ['fit03'],
    'imaging-load -i ': ['fedora-21', 'ubuntu', 'default'],
    'imaging-load --image=ub': ['ubuntu'],
    'imaging-image unzip fed': ['fedora-21'],
    'imaging-list d': ['default'],
  });
  expect(site.calls().slice(before)).toEqual(['completion --words nodes', 'completion --words images']);
});

test('bash: files where paths are meant, a command after --', () => {
  const answers = bash(
    'imaging-inventory check inv',
    'imaging-load -i ./ima',
    'imaging-testbed up --dir ima',
    'imaging-testbed run 3 -- imagin',
  );
  expect(answers).toMatchObject({
    'imaging-inventory check inv': ['inventory.json'],
    'imaging-load -i ./ima': expect.arrayContaining(['./images']) as string[],
    'imaging-testbed up --dir ima': ['images'],
  });
  expect(answers['imaging-testbed run 3 -- imagin']).toContain('imaging');
});

test('a site that cannot be read offers nothing, and says nothing', () => {
  const { stdout, stderr } = spawnSync(
    'bash',
    ['-c', `source '${site.dir}/imaging.bash'; COMP_LINE='imaging-load fi' COMP_POINT=15; _imaging; echo "<\${COMPREPLY[*]-}>"`],
    { env: { ...site.env, IMAGING_CONFIG: '/nonexistent' }, encoding: 'utf8' },
  );
  expect({ stdout, stderr }).toEqual({ stdout: '<>\n', stderr: '' });
});

test('bash is told of every command and its aliases, but not of frisbee and its like, which may be the real programs', () => {
  const { stdout } = spawnSync('bash', ['-c', `source '${site.dir}/imaging.bash'; complete -p`], { env: site.env, encoding: 'utf8' });
  const told = stdout
    .trim()
    .split('\n')
    .map((line) => line.split(' ').at(-1))
    .sort();
  expect(told).toEqual(['imaging', 'load-image', ...commands.map(({ name }) => `imaging-${name}`)].sort());
});

const missing = (shell: string): string => (spawnSync(shell, ['-c', 'true']).status === 0 ? '' : ` (skipped: there is no ${shell})`);

describe.skipIf(missing('fish') !== '')(`fish${missing('fish')}`, () => {
  const fish = (line: string): string[] => {
    const { stdout, stderr } = spawnSync('fish', ['--no-config', '-c', `source '${site.dir}/imaging.fish'; complete -C '${line}'`], {
      env: site.env,
      cwd: site.dir,
      encoding: 'utf8',
    });
    expect(stderr).toBe('');
    return stdout
      .split('\n')
      .filter((each) => each !== '')
      .map((each) => each.split('\t')[0] ?? '');
  };
  test.each([
    ['imaging lo', ['load']],
    ['imaging load fit', ['fit01', 'fit02', 'fit03']],
    ['imaging-load 1,~fit0', ['1,~fit01', '1,~fit02', '1,~fit03']],
    ['imaging-load -i ', ['default', 'fedora-21', 'ubuntu']],
    ['imaging-load --progress=pl', ['--progress=plain']],
    ['imaging-runs sh', ['show']],
    ['imaging runs release fit03', ['fit03']],
    ['imaging-status --verb', ['--verbose']],
  ])('%s', (line, words) => expect(fish(line)).toEqual(words));
});

describe.skipIf(missing('zsh') !== '')(`zsh${missing('zsh')}`, () => {
  test('what TAB makes of a line, in a real terminal', () => {
    const marks = ['imaging-load --im', 'imaging-load -i fed', 'imaging load fit03', 'imaging-config netw', 'imaging-load 1,~fit02'];
    const script = `zmodload zsh/zpty
zpty z 'zsh -f -i'
until_seen() { local chunk all; while [[ $all != *$1* ]]; do zpty -r z chunk || return 1; all+=$chunk; done }
zpty -w z "unsetopt zle_bracketed_paste; PS1= ; fpath=('${site.dir}' \\$fpath); autoload -U compinit; compinit -u -D"
zpty -w z 'show() { print -r -- "<$BUFFER>"; BUFFER= }; zle -N show; bindkey "^X" show; echo rea""dy'
until_seen ready
for line in "$@"; do
  zpty -w -n z "$line"$'\\t\\x18'
  all=; while [[ $all != *'<'*'>'* ]]; do zpty -r z chunk || break; all+=$chunk; done
  print -r -- "\${\${all#*<}%%>*}"
done`;
    const { stdout, stderr } = spawnSync('zsh', ['-fc', script, 'zsh', ...marks], {
      env: { ...site.env, TERM: 'dumb' },
      cwd: site.dir,
      encoding: 'utf8',
      timeout: 25_000,
    });
    expect(
      stdout
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => line.trim()),
      stderr,
    ).toEqual([
      'imaging-load --image',
      'imaging-load -i fedora-21',
      'imaging load fit03',
      'imaging-config networking',
      'imaging-load 1,~fit02',
    ]);
  });
});

test('imaging completion prints what is in the package, and refuses other shells', async () => {
  for (const [shell, file] of [
    ['bash', 'imaging.bash'],
    ['zsh', '_imaging'],
    ['fish', 'imaging.fish'],
  ] as const) {
    expect((await run('imaging', ['completion', shell])).stdout, shell).toBe(generated(`completions/${file}`));
  }
  expect(await run('imaging-completion', ['fisch'])).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('did you mean fish?') as string,
  });
  expect(await run('imaging-completion', [])).toMatchObject({ code: 2, stderr: expect.stringContaining('no shell given') as string });
  expect(await run('imaging', ['completion', '--words', 'nodes'], { env: site.env })).toMatchObject({
    code: 0,
    stdout: 'fit01\nfit02\nfit03\n@usrp\n@failed:last\n@ok:last\n@skipped:last\n@all:last\n',
  });
  expect(await run('imaging', ['completion', '--words', 'runs'], { env: site.env })).toMatchObject({ code: 0, stdout: '' });
});
