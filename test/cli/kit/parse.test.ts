import { expect, test } from 'vitest';
import type { Command } from '../../../src/cli/kit/command.js';
import { commands } from '../../../src/cli/table.js';
import { parseArguments } from '../../../src/cli/kit/parse.js';

function command(name: string): Command {
  const found = commands.find((candidate) => candidate.name === name);
  if (!found) throw new Error(name);
  return found;
}
async function parse(name: string, ...argv: string[]) {
  const parsed = await parseArguments(command(name), argv);
  if ('help' in parsed) throw new Error('help');
  return parsed.args;
}

test('node specs come through as they are', async () => {
  expect((await parse('load', '01', '1-12', '~4', '0x10', '1e3', '-a', '007')).words).toEqual(['01', '1-12', '~4', '0x10', '1e3', '007']);
});

test('options by either name, before and after words', async () => {
  expect((await parse('load', '1', '-i', 'fedora-21', '2', '-b', '90', '-u', '--no-reset')).options).toMatchObject({
    image: 'fedora-21',
    bandwidth: 90,
    'until-ssh': true,
    'no-reset': true,
  });
  expect((await parse('load', '-n', '1')).options).toMatchObject({ 'no-reset': true });
  expect((await parse('load', '-i', '21', '1')).options.image).toBe('21');
});

test('what follows -- is left alone', async () => {
  expect(
    await parse(
      'testbed',
      'run',
      '3',
      '--fault',
      'fit01:cmc-silent',
      '--fault',
      'fit02:no-boot',
      '--',
      'imaging-load',
      '-i',
      'demo',
      '--help',
    ),
  ).toMatchObject({
    words: ['run', '3'],
    options: { fault: ['fit01:cmc-silent', 'fit02:no-boot'] },
    rest: ['imaging-load', '-i', 'demo', '--help'],
  });
});

test.each([
  [['--frobnicate', '1'], /frobnicate/],
  [['-i'], /image|-i|argument/],
  [['-i', 'a', '-i', 'b', '1'], /2 times/],
  [['-t', 'soon', '1'], /timeout/],
  [['--progress', 'loud', '1'], /progress|loud/i],
])('%j is a usage error that names what was wrong', async (argv, message) => {
  await expect(parse('load', ...argv)).rejects.toMatchObject({ name: 'UserError', kind: 'usage', message: expect.stringMatching(message) });
});

test('help of every command names its options and the exit codes', async () => {
  for (const each of commands) {
    if (each.kind === 'program') continue;
    const parsed = await parseArguments(each, ['--help']);
    if (!('help' in parsed)) throw new Error(each.name);
    for (const option of Object.keys(each.options)) expect(parsed.help).toContain(`--${option}`);
    expect(parsed.help).toContain('Exit codes:');
  }
});
