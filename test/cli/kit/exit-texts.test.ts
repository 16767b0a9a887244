import { expect, test } from 'vitest';
import { commands } from '../../../src/cli/table.js';
import { exitTableOf } from '../../../src/cli/kit/exit-texts.js';

const tableOf = (name: string): Map<number, string> => {
  const command = commands.find((each) => each.name === name);
  if (!command) throw new Error(name);
  return new Map(exitTableOf(command));
};

test('no command claims that everything is undone, and each says what a signal leaves', () => {
  for (const command of commands) {
    const table = new Map(exitTableOf(command));
    expect([...table.values()].join('\n'), command.name).not.toMatch(/everything/);
    for (const code of [129, 130, 143]) expect(table.get(code), command.name).toMatch(/^ended by .*: ./);
  }
  expect(tableOf('load').get(130)).toMatch(/being written hold nothing bootable/);
  expect(tableOf('off').get(130)).toMatch(/sent/);
  expect(tableOf('status').get(130)).toMatch(/nothing was changed/);
  expect(tableOf('monitor').get(0)).toMatch(/told to end/);
});

test('code 1 is a node that failed only where there are nodes to fail', () => {
  expect(tableOf('load').get(1)).toMatch(/node failed/);
  expect(tableOf('image').get(1)).toMatch(/damaged.*differ/);
  expect(tableOf('doctor').get(1)).toMatch(/will not work/);
  for (const name of ['monitor', 'nodes', 'config', 'list', 'completion']) expect(tableOf(name).has(1), name).toBe(false);
});
