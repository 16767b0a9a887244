import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { fold } from '../../src/nodes/names.js';
import { MAX_NODES, parseNodeSpecs } from '../../src/nodes/parse.js';
import { packageRoot } from '../../src/util/dist.js';

it('every spec in the table of docs/nodes.md is one', async () => {
  const text = await readFile(join(packageRoot, 'docs/nodes.md'), 'utf8');
  const cells = [...text.matchAll(/^\| (`.*?`) \| (?!what)/gm)].map((match) => match[1] ?? '').slice(0, 5);
  const specs = cells.flatMap((cell) => [...cell.matchAll(/`([^`]+)`/g)].map((match) => match[1] ?? ''));
  expect(specs).toHaveLength(12);
  const names = { regularName: 'fit', rebootName: 'reboot' };
  for (const spec of specs) expect(() => parseNodeSpecs([spec], names)).not.toThrow();
  expect(fold(parseNodeSpecs(['1-12', 'fit15-reboot18', '~4-6'], names))).toBe('1-3,7-12,15-18');
  expect(text).toContain(`at most ${MAX_NODES} nodes`);
});
