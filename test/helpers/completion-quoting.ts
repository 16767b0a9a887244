import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { generatedFiles } from '../../src/cli/manual/generated-files.js';
import { scratch } from './cli.js';
import { hasPty, startPty, type Pty } from './pty.js';

/** Names of images that others can choose: each begins with a word of its own, and makes the file `pwned` when a shell runs it. */
const HOSTILE = [
  'semi;touch pwned;',
  'dollar$(touch pwned)',
  'tick`touch pwned`',
  'amp&touch pwned&',
  'pipe|touch pwned',
  'out>pwned',
  'var$HOME',
  'blank  two blanks',
  "quote'touch pwned'",
  'twice"touch pwned"',
  "last'",
  'back\\slash\\',
  'bang!!x',
  'glob*?[a-z]',
  'brace{a,b}',
  'paren(touch pwned)',
  'hash #x',
  'tilde:~',
  'colon:a b=c@d',
  'caret^a^b',
  'naïve 値',
  'percent%s',
  'x=~/y',
];
/** What is typed before TAB for a name: as it is, or in a quote that is open, or with a backslash. */
const BEGINNINGS: Record<string, (name: string) => string> = {
  'as it is': (name) => name.slice(0, 3).replace('=', '\\='),
  'in single quotes': (name) => `'${name.slice(0, 3)}`,
  'in double quotes': (name) => `"${name.slice(0, 3)}`,
  'with a backslash': (name) => `\\${name.slice(0, 3)}`,
};
/** Words that people have begun, in the shells' common words, and the name that comes of it. */
const BEGUN: [typed: string, name: string][] = [
  ['blank\\ ', 'blank  two blanks'],
  ["'blank ", 'blank  two blanks'],
  ['"blank  t', 'blank  two blanks'],
  ["'dollar$(", 'dollar$(touch pwned)'],
  ['dollar\\$\\(', 'dollar$(touch pwned)'],
  ['semi\\;', 'semi;touch pwned;'],
  ['"semi;touch ', 'semi;touch pwned;'],
  ['"twice\\"', 'twice"touch pwned"'],
  ['"twi"ce', 'twice"touch pwned"'],
  ['\\~ti', '~tilde'],
  ["'~ti", '~tilde'],
  ["'#has", '#hash'],
];

/** Why a shell cannot be tried on a terminal here, to stand in a title; empty when it can. */
export const missing = (shell: string): string =>
  spawnSync(shell, ['-c', 'true']).status === 0 ? (hasPty ? '' : ' (skipped: there is no script(1))') : ` (skipped: there is no ${shell})`;

/** A folder with the completions, an `imaging` that knows the names above, and an `imaging-load` that prints its arguments. */
export let site: string;
beforeAll(() => {
  site = scratch();
  mkdirSync(join(site, 'bin'));
  mkdirSync(join(site, 'here'));
  const files = generatedFiles('1.2.3');
  for (const file of ['imaging.bash', '_imaging', 'imaging.fish']) writeFileSync(join(site, file), files.get(`completions/${file}`) ?? '');
  writeFileSync(join(site, 'images'), [...HOSTILE, '~tilde', '#hash', '-rf;touch pwned', ''].join('\n'));
  writeFileSync(join(site, 'nodes'), ['fit01', 'fit02', '@group;touch pwned', ''].join('\n'));
  writeFileSync(join(site, 'runs'), ['last', 'run$(touch pwned)', ''].join('\n'));
  writeFileSync(join(site, 'bin/imaging'), `#!/bin/sh\ncat '${site}/'"$3"\n`);
  writeFileSync(join(site, 'bin/imaging-load'), '#!/bin/sh\nprintf "\\nARGS"; for each; do printf "<%s>" "$each"; done; echo END\n');
  for (const name of ['imaging', 'imaging-load']) chmodSync(join(site, 'bin', name), 0o755);
  writeFileSync(join(site, 'bin/imaging-runs'), '#!/bin/sh\nexec imaging-load "$@"\n');
  chmodSync(join(site, 'bin/imaging-runs'), 0o755);
});

const START: Record<string, (dir: string) => string> = {
  bash: (dir) => `exec bash --norc --noprofile -c 'cat >rc <<"END"
set +o emacs; set -o emacs; bind "set enable-bracketed-paste off"; PS1="READY> "; set -H; source "${dir}/imaging.bash"
END
exec bash --noprofile --rcfile rc -i'`,
  zsh: (dir) => `exec zsh -f -i -c 'cat >.zshrc <<"END"
PS1="READY> "; fpath=("${dir}" $fpath); autoload -U compinit; compinit -u -D
END
ZDOTDIR=$PWD exec zsh -d -i'`,
  fish: (dir) => `exec fish --no-config -i -C 'function fish_prompt; echo -n "READY> "; end; source "${dir}/imaging.fish"'`,
};

/** Types each line into the shell on a terminal, ENTER behind it, and gives the arguments that the program got. */
export async function typed(shell: string, lines: readonly string[]): Promise<string[][]> {
  const cwd = join(site, 'here');
  const env = {
    PATH: `${join(site, 'bin')}${delimiter}${process.env.PATH}`,
    HOME: cwd,
    XDG_CONFIG_HOME: cwd,
    XDG_DATA_HOME: cwd,
    LC_ALL: 'C.UTF-8',
    IMAGING_CONFIG: '',
  };
  const pty: Pty = startPty(`PATH='${join(site, 'bin')}':"$PATH"; cd '${cwd}'; ${START[shell]?.(site) ?? ''}`, { columns: 200, env });
  const got: string[][] = [];
  await pty.until(/READY> /);
  for (const line of lines) {
    const from = pty.output().length;
    pty.type(`${line}\r`);
    await pty.until(/ARGS.*END[^]*READY> /, from);
    const args = /ARGS(?:<(.*)>)?END/.exec(pty.output().slice(from))?.[1];
    got.push(args?.split('><') ?? []);
  }
  pty.type('exit\r');
  await pty.finished;
  return got;
}

/** What names that a shell could run become when TAB completes them, on a terminal. */
export function quotingTests(shell: 'bash' | 'zsh' | 'fish'): void {
  const why = missing(shell);
  // in fish, most letters mean something behind a backslash
  test.skipIf(why !== '').each(Object.keys(BEGINNINGS).filter((how) => shell !== 'fish' || how !== 'with a backslash'))(
    `a name of an image that TAB completes, begun %s, is one word, whatever it holds${why}`,
    async (how) => {
      const got = await typed(
        shell,
        HOSTILE.map((name) => `imaging-load -i ${BEGINNINGS[how]?.(name) ?? ''}\t`),
      );
      expect(got).toEqual(HOSTILE.map((name) => ['-i', name]));
      expect(readdirSync(join(site, 'here'))).not.toContain('pwned');
    },
  );
  test.skipIf(why !== '')(`words that are begun with quotes and backslashes${why}`, async () => {
    expect(
      await typed(
        shell,
        BEGUN.map(([begun]) => `imaging-load -i ${begun}\t`),
      ),
    ).toEqual(BEGUN.map(([, name]) => ['-i', name]));
  });
  test.skipIf(why !== '')(`among nodes, and among runs${why}`, async () => {
    const got = await typed(shell, [
      'imaging-load 1,~fit02,@gr\t',
      'imaging-runs show run\t',
      'imaging-load 1,fit01\t',
      "imaging-load '1,@gr\t",
    ]);
    expect(got).toEqual([['1,~fit02,@group;touch pwned'], ['show', 'run$(touch pwned)'], ['1,fit01'], ['1,@group;touch pwned']]);
    expect(readdirSync(join(site, 'here'))).not.toContain('pwned');
  });
  // zsh completes what stands behind the option, not behind its =
  if (shell === 'zsh') return;
  test.skipIf(why !== '')(`behind =${why}`, async () => {
    const got = await typed(shell, ['imaging-load --image=semi\t', "imaging-load --image='dol\t"]);
    expect(got).toEqual([['--image=semi;touch pwned;'], ['--image=dollar$(touch pwned)']]);
    expect(readdirSync(join(site, 'here'))).not.toContain('pwned');
  });
}
