import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, test } from 'vitest';
import { oldBlame } from '../src/runs/old-blame.js';
import { packageRoot } from '../src/util/dist.js';
import { loadWork, powerWork, saveWork, waitWork, whichWork } from '../src/workflows/node-steps.js';
import type { Fail, FailureSpec } from '../src/util/failures.js';

const src = join(packageRoot, 'src');
const folders = readdirSync(src).filter((folder) => folder !== 'util' && readdirSync(join(src, folder)).includes('failures.ts'));
const tables = new Map(
  await Promise.all(
    folders.map(async (folder): Promise<[string, Fail<string>]> => {
      const module = (await import(pathToFileURL(join(src, folder, 'failures.ts')).href)) as { fail: Fail<string> }; // as: each exports it
      return [folder, module.fail];
    }),
  ),
);
const entries = [...tables].flatMap(([folder, { table }]) => Object.entries(table).map(([code, spec]) => ({ folder, code, spec })));

test('there are tables, and each code is declared once', () => {
  expect(entries.length).toBeGreaterThan(100);
  for (const { folder, code } of entries) {
    const others = [...tables].filter(([other, fail]) => other !== folder && fail.spec(code.replace('*', 'x')) !== undefined);
    expect(
      others.map(([other]) => other),
      code,
    ).toEqual([]);
  }
});

test.each(entries)('$folder: $code is a word, with a meaning and what to do, a sentence each', ({ code, spec }) => {
  expect(code).toMatch(/^(?:\*-)?[a-z0-9]+(?:-[a-z0-9]+)*(?:-\*)?$/);
  for (const text of [spec.meaning, spec.todo]) expect(text).toMatch(/^[A-Zai.].{7,160}\.$/);
  for (const text of [spec.meaning, spec.todo]) expect(text).not.toMatch(/[|`]|\. [A-Z]/);
  expect(Object.keys(spec).every((key) => ['blame', 'cure', 'meaning', 'todo', 'refusal'].includes(key))).toBe(true);
});

test('only the folders that the exit code of node commands asks refuse nodes', () => {
  const refusing = entries.filter(({ spec }: { spec: FailureSpec }) => spec.refusal === true);
  expect(new Set(refusing.map(({ folder }) => folder))).toEqual(new Set(['leases', 'pxe', 'workflows']));
  expect(refusing.every(({ spec }) => spec.cure === 'person')).toBe(true);
});

test('failures are made by the tables alone', () => {
  const files = readdirSync(src, { recursive: true })
    .map(String)
    .filter((file) => /\.tsx?$/.test(file) && !file.startsWith('util/'));
  expect(files.length).toBeGreaterThan(300);
  expect(files.filter((file) => /\bnew Failure\(/.test(readFileSync(join(src, file), 'utf8')))).toEqual([]);
});

test('every code that is declared is thrown by somebody, word for word or as the deadline of a step', () => {
  const texts = readdirSync(src, { recursive: true })
    .map(String)
    .filter((file) => /\.tsx?$/.test(file) && file !== 'runs/old-blame.ts')
    .map((file) =>
      readFileSync(join(src, file), 'utf8')
        .replace(/^const table = \{.*?^\}/ms, '')
        .replace(/failures\('[^']*', \{.*?^\}\)/ms, ''),
    );
  const steps = [loadWork(true), saveWork(true), powerWork(true), waitWork, whichWork].flatMap((work) =>
    work.steps.map(({ name }) => `${name}-deadline`),
  );
  const exact = entries.map(({ code }) => code).filter((code) => !code.includes('*') && !steps.includes(code));
  expect(exact.length).toBeGreaterThan(100);
  expect(exact.filter((code) => !texts.some((text) => text.includes(`'${code}'`)))).toEqual([]);
});

test('what old lines of history are excused for is not the fault of the node today', () => {
  const excused = entries.filter(({ code }) => oldBlame(code) !== 'node');
  expect(excused.length).toBeGreaterThan(20);
  for (const { code, spec } of excused) expect(spec.blame, code).not.toBe('node');
});

test('docs/failures.md is what the tables say', () => {
  execFileSync(process.execPath, [join(packageRoot, 'scripts/failures-docs.mjs'), '--check'], { stdio: 'pipe' });
});
