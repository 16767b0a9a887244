import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const src = fileURLToPath(new URL('../src', import.meta.url));

/** What each folder may import besides itself. Imports point one way: nobody further down knows anybody further up. */
const mayImport: Record<string, readonly string[]> = {
  util: [],
  events: ['util'],
  nodes: ['util'],
  inventory: ['util', 'nodes'],
  disk: ['util'],
  ndz: ['util', 'disk'],
  config: ['util', 'nodes', 'inventory'],
  power: ['util', 'inventory'],
  pxe: ['util', 'inventory'],
  telnet: ['util'],
  ssh: ['util'],
  frisbee: ['util', 'disk', 'ndz'],
  images: ['util', 'disk', 'ndz'],
  leases: ['util'],
  runs: ['util', 'events', 'nodes'],
  engine: ['util', 'events'],
  workflows: ['util', 'events', 'engine', 'inventory', 'disk', 'ndz', 'power', 'pxe', 'telnet', 'ssh', 'frisbee', 'images', 'runs'],
  monitor: ['util', 'events'],
  programs: ['util', 'disk', 'ndz', 'frisbee', 'images'],
  testbed: ['util', 'nodes', 'inventory', 'disk', 'ndz', 'frisbee', 'telnet', 'images', 'programs'],
  app: [
    'util',
    'events',
    'nodes',
    'config',
    'inventory',
    'leases',
    'power',
    'pxe',
    'telnet',
    'images',
    'runs',
    'engine',
    'workflows',
    'monitor',
  ],
  cli: [
    'util',
    'events',
    'nodes',
    'config',
    'inventory',
    'leases',
    'power',
    'pxe',
    'telnet',
    'ssh',
    'frisbee',
    'disk',
    'ndz',
    'images',
    'runs',
    'engine',
    'workflows',
    'monitor',
    'programs',
    'testbed',
    'app',
  ],
};

type Import = { from: string; folder: string; target: string };

function imports(): Import[] {
  const files = readdirSync(src, { recursive: true })
    .map(String)
    .filter((file) => /\.tsx?$/.test(file));
  return files.flatMap((file) => {
    const text = readFileSync(join(src, file), 'utf8');
    const specifiers = [...text.matchAll(/(?:from\s+|import\s*\(\s*|import\s+)['"](\.[^'"]+)['"]/g)].map((match) => match[1] ?? '');
    return specifiers.map((specifier) => ({
      from: file,
      folder: file.split('/')[0] ?? '',
      target: relative(src, resolve(src, dirname(file), specifier)).split('/')[0] ?? '',
    }));
  });
}

test('every folder is in the table', () => {
  const folders = readdirSync(src, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name);
  expect(folders.sort()).toEqual(Object.keys(mayImport).sort());
});

test('imports point one way', () => {
  const all = imports();
  expect(all.length).toBeGreaterThan(100);
  const wrong = all.filter(({ folder, target }) => target !== folder && !mayImport[folder]?.includes(target));
  expect(wrong.map(({ from, target }) => `${from} imports ${target}`)).toEqual([]);
});

test('the table itself has no cycle', () => {
  const visit = (folder: string, path: readonly string[]): void => {
    expect(path, `${path.join(' -> ')} -> ${folder}`).not.toContain(folder);
    for (const next of mayImport[folder] ?? []) visit(next, [...path, folder]);
  };
  visit('cli', []);
});

test('only the command line, the application and monitor write to the console', () => {
  const files = readdirSync(src, { recursive: true })
    .map(String)
    .filter((file) => /\.tsx?$/.test(file) && !/^(cli|app|monitor)\//.test(file));
  expect(files.filter((file) => /\bconsole\.\w+\(/.test(readFileSync(join(src, file), 'utf8')))).toEqual([]);
});
