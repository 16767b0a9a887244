import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { execFileSync } from 'node:child_process';
import { Worker } from 'node:worker_threads';
import { once } from 'node:events';
import { beforeEach, expect, onTestFinished, test } from 'vitest';
import { capabilities, offLine } from '../../src/native/capabilities.js';
import { CAPABILITIES, OFF_VARIABLE, switchedOff, switchOff, unknownWords } from '../../src/native/switches.js';

beforeEach(() => {
  const before = process.env[OFF_VARIABLE];
  delete process.env[OFF_VARIABLE];
  onTestFinished(() => void (before === undefined ? delete process.env[OFF_VARIABLE] : (process.env[OFF_VARIABLE] = before)));
});

test('what is switched off adds up, in threads and programs that are started then as well', async () => {
  expect(CAPABILITIES.map(switchedOff)).toEqual(CAPABILITIES.map(() => null));
  switchOff([]);
  expect(process.env[OFF_VARIABLE]).toBeUndefined();
  process.env[OFF_VARIABLE] = 'uevents, nonsense';
  switchOff(['file-locks']);
  expect(CAPABILITIES.filter((name) => switchedOff(name) !== null)).toEqual(['file-locks', 'uevents']);
  expect(unknownWords()).toEqual(['nonsense']);
  const show = `process.env.${OFF_VARIABLE}`;
  expect(execFileSync(process.execPath, ['-p', show], { encoding: 'utf8' }).trim()).toBe('uevents nonsense file-locks');
  const worker = new Worker(`require('node:worker_threads').parentPort.postMessage(${show})`, { eval: true });
  expect((await once(worker, 'message'))[0]).toBe('uevents nonsense file-locks');
  switchOff(['all']);
  expect(CAPABILITIES.every((name) => switchedOff(name) !== null)).toBe(true);
});

test('a line for people, when something is off', async () => {
  process.env[OFF_VARIABLE] = 'udp-batches';
  expect(await offLine(['udp-batches', 'uevents'])).toMatch(
    /^system calls that are off: udp-batches \(switched off \(.*\)\): each datagram is /,
  );
  process.env[OFF_VARIABLE] = '';
  expect(await offLine([])).toBeNull();
});

test('every capability that src/native declares is told of', () => {
  const folder = new URL('../../src/native/', import.meta.url);
  const declared = readdirSync(fileURLToPath(folder)).flatMap((file) =>
    [...readFileSync(new URL(file, folder), 'utf8').matchAll(/= (?:capability(?:<[^(]*>)?\(\s*)?\{\s*name: '([a-z-]+)'/g)].map(
      (match) => match[1]!,
    ),
  );
  expect(declared.length).toBeGreaterThan(3);
  expect(capabilities.map(({ name }) => name).toSorted()).toEqual(declared.toSorted());
});
