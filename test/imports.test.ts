import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { doors, house } from './house.js';

const src = fileURLToPath(new URL('../src', import.meta.url));
const files = readdirSync(src, { recursive: true })
  .map(String)
  .filter((file) => /\.tsx?$/.test(file));
const folderOf = (file: string): string => file.split('/')[0] ?? '';

/** Of every file, the files of src/ that it imports, types and lazy ones included; without endings. */
const imports = new Map(files.map((file) => [withoutEnding(file), importsOf(file)]));

function importsOf(file: string): string[] {
  const text = readFileSync(join(src, file), 'utf8');
  const specifiers = [...text.matchAll(/(?:from\s+|import\s*\(\s*|import\s+)['"](\.[^'"]+)['"]/g)].map((match) => match[1] ?? '');
  return specifiers.map((specifier) => withoutEnding(relative(src, resolve(src, dirname(file), specifier))));
}

function withoutEnding(file: string): string {
  return file.replace(/\.(tsx?|js)$/, '');
}

test('every folder is in the table', () => {
  const folders = readdirSync(src, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name);
  expect(folders.sort()).toEqual(Object.keys(house).sort());
});

test('imports point one way', () => {
  expect([...imports.values()].flat().length).toBeGreaterThan(1_000);
  const wrong = [...imports].flatMap(([file, targets]) =>
    targets
      .filter((target) => folderOf(target) !== folderOf(file) && !house[folderOf(file)]?.imports.includes(folderOf(target)))
      .map((target) => `${file} imports ${target}`),
  );
  expect(wrong).toEqual([]);
});

test('nothing may be imported that is not', () => {
  const used = new Set([...imports].flatMap(([file, targets]) => targets.map((target) => `${folderOf(file)} -> ${folderOf(target)}`)));
  const unused = Object.entries(house).flatMap(([folder, { imports: may }]) =>
    may.map((target) => `${folder} -> ${target}`).filter((arrow) => !used.has(arrow)),
  );
  expect(unused).toEqual([]);
});

test('others come in through the doors, and every door is used', () => {
  const outside = [...imports].flatMap(([file, targets]) => targets.filter((target) => folderOf(target) !== folderOf(file)));
  for (const [folder, open] of Object.entries(doors)) {
    const entered = [...new Set(outside.filter((target) => folderOf(target) === folder))].map((target) => target.slice(folder.length + 1));
    expect(entered.sort(), folder).toEqual([...open].sort());
  }
});

test('no file imports itself by way of others, types included', () => {
  const cycles: string[] = [];
  const done = new Set<string>();
  const visit = (file: string, path: readonly string[]): void => {
    const at = path.indexOf(file);
    if (at >= 0) cycles.push([...path.slice(at), file].join(' -> '));
    if (at >= 0 || done.has(file)) return;
    for (const next of imports.get(file) ?? []) visit(next, [...path, file]);
    done.add(file);
  };
  for (const file of imports.keys()) visit(file, []);
  expect(cycles).toEqual([]);
});

test('only the faces and monitor write to the console', () => {
  const quiet = files.filter((file) => !/^(cli|monitor)\//.test(file));
  expect(quiet.filter((file) => /\bconsole\.\w+\(/.test(readFileSync(join(src, file), 'utf8')))).toEqual([]);
});
