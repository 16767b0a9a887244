import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { loadWork, powerWork, saveWork, waitWork, whichWork } from '../../src/workflows/node-steps.js';

const src = join(import.meta.dirname, '../../src');
const names = new Set(
  [loadWork(true), saveWork(true), powerWork(true), waitWork, whichWork].flatMap(({ steps }) => steps.map(({ name }) => name)),
);
/** Words that are steps as well as something else there: a kind of probe, a state in a record, a switch of a card, a source. */
const OTHER_MEANINGS = ['ssh', 'telnet', 'cmc', 'stamp'];

const filesIn = (folder: string): string[] =>
  readdirSync(join(src, folder), { recursive: true })
    .map(String)
    .filter((file) => file.endsWith('.ts'))
    .map((file) => join(folder, file));

test('no step has its name in the engine, the events, the runs and the monitor: a workflow tells of its steps', () => {
  // what runs of earlier versions did not tell is known in one place
  const files = ['engine', 'events', 'runs', 'monitor'].flatMap(filesIn).filter((file) => file !== 'runs/old-schema.ts');
  expect(files.length).toBeGreaterThan(50);
  const found = files.flatMap((file) =>
    [...readFileSync(join(src, file), 'utf8').matchAll(/['"`]([a-z-]+)['"`]/g)]
      .map(([, word]) => word ?? '')
      .filter((word) => names.has(word) && !OTHER_MEANINGS.includes(word))
      .map((word) => `${file}: '${word}'`),
  );
  expect(found).toEqual([]);
});

test('the engine says nothing of nodes and imports events and util alone', () => {
  for (const file of filesIn('engine')) {
    const text = readFileSync(join(src, file), 'utf8');
    expect(text.match(/\bnodes?\b(?!')|InventoryNode|powerCycle|\bload(ed)?\b/gi), file).toBeNull();
    const imports = [...text.matchAll(/from '\.\.\/([a-z]+)\//g)].map((match) => match[1]);
    expect(
      imports.filter((folder) => folder !== 'events' && folder !== 'util'),
      file,
    ).toEqual([]);
  }
});
