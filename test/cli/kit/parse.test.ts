import { expect, expectTypeOf, test } from 'vitest';
import type { Command } from '../../../src/cli/kit/command.js';
import type { ArgumentsOf } from '../../../src/cli/kit/option-spec.js';
import type { imageSpec } from '../../../src/cli/images/image.spec.js';
import type { monitorSpec } from '../../../src/cli/monitor/monitor.spec.js';
import type { loadSpec } from '../../../src/cli/nodes/load.spec.js';
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
    untilSsh: true,
    noReset: true,
  });
  expect((await parse('load', '-n', '1')).options).toMatchObject({ noReset: true });
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
  [['--timeout', '0'], /^--timeout: 0 is not a number greater than 0 and at most 604800$/],
  [['--timeout', '-3'], /^--timeout: -3 is not a number greater than 0 and at most 604800$/],
  [['--timeout', 'Infinity'], /^--timeout: Infinity is not a number greater than 0/],
  [['-b', '100001'], /^--bandwidth: 100001 is not a number greater than 0 and at most 100000$/],
  [['--passes', '1.5'], /^--passes: 1.5 is not a whole number from 1 to 100$/],
  [['--passes', '101'], /^--passes: 101 is not a whole number from 1 to 100$/],
  [['--window', 'many'], /^--window: "many" is not a number of nodes and a time, such as 20\/2s$/],
  [['--image', ''], /^--image needs a value$/],
])('%j is a usage error that names what was wrong', async (argv, message) => {
  await expect(parse('load', ...argv)).rejects.toMatchObject({ name: 'UserError', kind: 'usage', message: expect.stringMatching(message) });
});

test.each([
  ['runs', ['--count', '0'], '--count: 0 is not a whole number of 1 or more'],
  ['testbed', ['--boot', '-1'], '--boot: -1 is not a number of 0 or more'],
  ['image', ['--level', '10'], '--level: 10 is not a whole number from 0 to 9'],
  ['image', ['--uuid', 'x'], '--uuid: "x" is not 32 hex digits'],
])('bounds of %s %j', async (name, argv, message) => {
  await expect(parse(name, ...argv)).rejects.toMatchObject({ name: 'UserError', kind: 'usage', message });
});

test('options come as their spec types them, whether they were given or not', async () => {
  const none = await parse('load', '1');
  expect(none.options).toMatchObject({ untilSsh: false, includeQuarantined: false, forceLease: false });
  expect(none.options).toMatchObject({ image: undefined, passes: undefined, window: undefined, onInterrupt: undefined });
  expect(none.given).toEqual([]);
  const some = await parse('load', '1', '-u', '--passes', '3', '--window', '20/2s', '--on-interrupt', 'finish', '-t', '0.5');
  expect(some.options).toMatchObject({
    untilSsh: true,
    passes: 3,
    window: { nodes: 20, perMs: 2000 },
    onInterrupt: 'finish',
    timeout: 0.5,
  });
  expect(some.given).toEqual(['timeout', 'until-ssh', 'on-interrupt', 'passes', 'window']);
  expect((await parse('monitor')).options).toMatchObject({ websocket: [], listen: undefined });
  expect((await parse('monitor', '-w', 'ws://a', '-w', 'ws://b')).options).toMatchObject({ websocket: ['ws://a', 'ws://b'] });
});

test('the types follow the spec: a mistyped option does not compile', () => {
  expectTypeOf<ArgumentsOf<typeof loadSpec>['options']['untilSsh']>().toEqualTypeOf<boolean>();
  expectTypeOf<ArgumentsOf<typeof loadSpec>['options']['image']>().toEqualTypeOf<string | undefined>();
  expectTypeOf<ArgumentsOf<typeof loadSpec>['options']['passes']>().toEqualTypeOf<number | undefined>();
  expectTypeOf<ArgumentsOf<typeof loadSpec>['options']['onInterrupt']>().toEqualTypeOf<'stop' | 'finish' | undefined>();
  expectTypeOf<ArgumentsOf<typeof loadSpec>['options']['window']>().toEqualTypeOf<{ nodes: number; perMs: number } | undefined>();
  expectTypeOf<ArgumentsOf<typeof monitorSpec>['options']['websocket']>().toEqualTypeOf<readonly string[]>();
  expectTypeOf<ArgumentsOf<typeof loadSpec>['options']>().not.toHaveProperty('until-ssh');
  expectTypeOf<ArgumentsOf<typeof imageSpec, 'level'>['options']>().not.toHaveProperty('slice');
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
