import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { machineId, shortName, thisMachine } from '../../src/util/machine.js';
import { scratch } from '../helpers/cli.js';

test.each([
  ['faraday.inria.fr', 'faraday'],
  ['faraday', 'faraday'],
  ['.gw', 'gw'],
  ['..', 'unnamed'],
  ['', 'unnamed'],
  ['a/b.example', 'a-b'],
  ['x\u001b[31m y', 'x--31m-y'],
])('the short name of %j is %j', (hostname, short) => {
  expect(shortName(hostname)).toBe(short);
});

test('the machine id is kept to ourselves: what stands for it is as lasting, and none of its digits', () => {
  const file = join(scratch(), 'machine-id');
  writeFileSync(file, '0123456789abcdef0123456789abcdef\n');
  const id = machineId(['/nonexistent', file]);
  expect(id).toMatch(/^[0-9a-f]{32}$/);
  expect(id).not.toContain('0123456789abcdef');
  expect(machineId([file])).toBe(id);
  writeFileSync(file, 'uninitialized\n');
  expect(machineId([file])).toBe('');
});

test('this machine has a boot and a pid namespace', () => {
  expect(thisMachine()).toMatchObject({
    bootId: expect.stringMatching(/^[0-9a-f-]{36}$/) as string,
    pidNamespace: expect.stringMatching(/^\d+$/) as string,
  });
});
