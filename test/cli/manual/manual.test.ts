import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { commands } from '../../../src/cli/table.js';
import { exitTableOf } from '../../../src/cli/kit/exit-texts.js';
import { generatedFiles } from '../../../src/cli/manual/generated-files.js';
import { roff } from '../../../src/cli/manual/roff.js';
import { allKeys } from '../../../src/config/schema.js';
import { packageRoot } from '../../../src/util/dist.js';
import { scratch } from '../../helpers/cli.js';

const files = generatedFiles('1.2.3');
const pages = [...files].filter(([path]) => path.startsWith('man/'));
const pageOf = (name: string): string => files.get(`man/man1/imaging-${name}.1`) ?? '';

test('the same tables give the same bytes', () => {
  expect([...generatedFiles('1.2.3')]).toEqual([...files]);
});

test('package.json lists the pages, so that an installation puts them where man finds them', () => {
  const manifest: unknown = JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8'));
  expect(manifest).toMatchObject({
    man: expect.arrayContaining([]) as string[],
    files: expect.arrayContaining(['man', 'completions']) as string[],
  });
  const { man } = manifest as { man: string[] }; // it was matched above
  expect([...man].sort()).toEqual(pages.map(([path]) => path).sort());
});

test('each command has a page with its options, examples and exit codes; the overview has each command', () => {
  const overview = files.get('man/man1/imaging.1') ?? '';
  for (const command of commands) {
    const page = pageOf(command.name);
    expect(page, command.name).toMatch(
      new RegExp(
        `^\\.\\\\".*\\n\\.TH IMAGING\\\\-${command.name.toUpperCase()} 1 "" "imaging 1\\.2\\.3" "imaging"\\n\\.SH NAME\\nimaging\\\\-${command.name} \\\\- `,
      ),
    );
    expect(overview).toContain(`imaging\\-${command.name}`);
    if (command.kind === 'program') continue;
    for (const [name, spec] of Object.entries(command.options)) {
      const { alias, describe } = spec;
      expect(page, command.name).toContain(`\\fB${roff(`--${name}`)}\\fR`);
      expect(page, command.name).toContain(roff(describe));
      for (const letter of [alias ?? []].flat())
        expect(page).toContain(`\\fB${roff(letter.length === 1 ? `-${letter}` : `--${letter}`)}\\fR`);
      for (const choice of (spec.type === 'string' && spec.choices) || []) expect(page).toContain(`\\fB${choice}\\fR`);
    }
    for (const [line] of command.examples) expect(page, command.name).toContain(roff(line));
    for (const [code, meaning] of exitTableOf(command)) expect(page).toContain(`\\fB${code}\\fR\n${roff(meaning)}`);
  }
});

test('imaging.conf(5) has every key with its default and what is allowed', () => {
  const page = files.get('man/man5/imaging.conf.5') ?? '';
  for (const { key, meaning, kind } of allKeys) {
    expect(page).toContain(`\\fB${roff(key)}\\fR = `);
    expect(page).toContain(roff(`${meaning}.`));
    expect(page).toContain(roff(`Allowed: ${kind.allowed}.`));
  }
});

test('roff takes no text for a request or an escape', () => {
  expect(roff(".so /etc/passwd\n'quoted' \\fB ~/x --all ^ `")).toBe(
    '\\&.so /etc/passwd\n\\(aqquoted\\(aq \\efB \\(ti/x \\-\\-all \\(ha \\(ga',
  );
  for (const [path, text] of pages) {
    for (const line of text.split('\n')) if (/^[.']/.test(line)) expect(line, path).toMatch(/^\.(\\"|TH|SH|PP|TP|RS|RE|nf|fi|br)\b|^\.\\"/);
  }
});

const noMan = spawnSync('man', ['--version']).status === 0 ? '' : ' (skipped: there is no man)';
test.skipIf(noMan !== '')(`man shows them without a complaint, options as they are typed${noMan}`, () => {
  const dir = scratch();
  for (const name of [
    'man/man1/imaging-load.1',
    'man/man1/imaging-runs.1',
    'man/man1/imaging-frisbee.1',
    'man/man1/imaging.1',
    'man/man5/imaging.conf.5',
  ]) {
    const file = join(dir, name.split('/').at(-1) ?? '');
    writeFileSync(file, files.get(name) ?? '');
    const { stdout, stderr, status } = spawnSync('man', ['--warnings=w', '-l', file], {
      env: { ...process.env, MANPAGER: 'cat', MANWIDTH: '120', LC_ALL: 'C.UTF-8' },
      encoding: 'utf8',
    });
    expect({ status, stderr }, name).toEqual({ status: 0, stderr: '' });
    if (name.endsWith('imaging-load.1')) {
      expect(stdout).toMatch(/^ +-i, --image IMAGE$/m);
      expect(stdout).toMatch(/^ +imaging-load -a ~4$/m);
    }
  }
});

const noLint = spawnSync('mandoc', ['-T', 'lint', '/dev/null']).error === undefined ? '' : ' (skipped: there is no mandoc)';
test.skipIf(noLint !== '')(`mandoc finds nothing wrong but the date that is left out${noLint}`, () => {
  const dir = scratch();
  const paths = pages.map(([path, text]) => {
    const file = join(dir, path.split('/').at(-1) ?? '');
    writeFileSync(file, text);
    return file;
  });
  const { stdout } = spawnSync('mandoc', ['-T', 'lint', '-W', 'warning', ...paths], { encoding: 'utf8' });
  expect(stdout.split('\n').filter((line) => line !== '' && !line.includes('missing date'))).toEqual([]);
});
