import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { expect, test } from 'vitest';
import { commands } from '../../src/cli/table.js';
import { exitCodeMeanings } from '../../src/cli/kit/exit.js';
import { findCommand } from '../../src/cli/main.js';
import { generatedLists } from '../../src/cli/manual/generated-files.js';
import { nodeOptions } from '../../src/cli/nodes/options.js';
import { bin } from '../helpers/cli.js';

const root = new URL('../../', import.meta.url);
const readme = readFileSync(new URL('README.md', root), 'utf8');

/** Load, save, wait and every power verb go through one fan-out, one monitor, one final table. */
const onNodes = ['load', 'save', 'wait', 'which', 'status', 'on', 'off', 'reset', 'info', 'usrpstatus', 'usrpon', 'usrpoff'];

test('every command on nodes is a plan for the shared runner, and has no way of its own', async () => {
  expect(commands.filter((command) => command.kind === 'nodes').map((command) => command.name)).toEqual(onNodes);
  for (const command of commands) {
    if (command.kind !== 'nodes') continue;
    const module = await command.load();
    expect(module.plan, command.name).toBeTypeOf('function');
    expect(module, command.name).not.toHaveProperty('run');
  }
});

test('every other command loads and runs', async () => {
  for (const command of commands) {
    if (command.kind === 'nodes') continue;
    expect((await command.load()).run, command.name).toBeTypeOf('function');
  }
});

test('names and aliases are unique, options have one letter each', () => {
  const names = commands.flatMap((command) => [`imaging-${command.name}`, ...(command.aliases ?? [])]);
  expect(new Set(names).size).toBe(names.length);
  for (const command of commands) {
    const letters = Object.values(command.options).flatMap((option) => option.alias ?? []);
    expect(new Set(letters).size, command.name).toBe(letters.length);
  }
});

test('a command is found by the name it is called by, else by the first word', () => {
  expect(findCommand('imaging-load', ['1-3'])).toMatchObject({ command: { name: 'load' }, rest: ['1-3'] });
  expect(findCommand('load-image', ['1-3'])).toMatchObject({ command: { name: 'load' }, rest: ['1-3'] });
  expect(findCommand('imaging', ['load', '1-3'])).toMatchObject({ command: { name: 'load' }, rest: ['1-3'] });
  expect(findCommand('imaging.js', ['wait'])).toMatchObject({ command: { name: 'wait' }, rest: [] });
  expect(findCommand('frisbee', ['-m', 'x'])).toMatchObject({ command: { name: 'frisbee' }, rest: ['-m', 'x'] });
  expect(findCommand('il', ['status', '1'])).toMatchObject({ command: { name: 'status' }, rest: ['1'] });
  expect(findCommand('imaging', ['nonsense']).command).toBeUndefined();
  expect(findCommand('/opt/upload/imaging'.split('/').at(-1) ?? '', []).command).toBeUndefined();
});

test('package.json, bin/ and the check of the package are as npm run generate makes them from the table', () => {
  const { bin: names, man, helpful } = generatedLists();
  const links = readdirSync(bin)
    .filter((name) => name !== 'imaging.js')
    .sort();
  expect(links).toEqual(['imaging', 'load-image', ...commands.map((command) => `imaging-${command.name}`)].sort());
  expect(links).toEqual(Object.keys(names));
  for (const link of links) expect(readlinkSync(`${bin}/${link}`)).toBe('imaging.js');
  const manifest = JSON.parse(readFileSync(new URL('package.json', root), 'utf8')) as { bin: unknown; man: unknown }; // as: compared below
  expect({ bin: manifest.bin, man: manifest.man }).toEqual({ bin: names, man });
  expect(readFileSync(new URL('scripts/check-package.sh', root), 'utf8')).toContain(`\ncommands='${helpful.join(' ')}' #`);
});

test('every command on nodes begins with the options that the shared runner reads', () => {
  const shared = Object.keys(nodeOptions);
  for (const { kind, name, options } of commands)
    if (kind === 'nodes') expect(Object.keys(options).slice(0, shared.length), name).toEqual(shared);
});

test('the README has every command and every exit code', () => {
  for (const command of commands)
    expect(readme, command.name).toMatch(new RegExp(`\`?(imaging-|-)${command.name}\\b|npm run ${command.name}\\b`));
  for (const [code, meaning] of exitCodeMeanings) {
    expect(readme).toContain(String(code));
    if (code < 100) expect(readme).toContain(meaning);
  }
});
