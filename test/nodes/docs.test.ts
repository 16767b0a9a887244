import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { fold } from '../../src/nodes/names.js';
import { MAX_NODES, parseNodeSpecs } from '../../src/nodes/parse.js';
import { packageRoot } from '../../src/util/dist.js';

test('every spec in the table of docs/nodes.md is one', async () => {
  const text = await readFile(join(packageRoot, 'docs/nodes.md'), 'utf8');
  const cells = [...text.matchAll(/^\| (`.*?`) \| (?!what)/gm)].map((match) => match[1] ?? '').slice(0, 9);
  const specs = cells.flatMap((cell) => [...cell.matchAll(/`([^`]+)`/g)].map((match) => match[1] ?? ''));
  expect(specs).toHaveLength(21);
  const names = { regularName: 'fit', rebootName: 'reboot' };
  for (const spec of specs) expect(() => parseNodeSpecs([spec.replaceAll("'", '')], names, undefined, () => [1])).not.toThrow();
  expect(fold(parseNodeSpecs(['1-12', 'fit15-reboot18', '~4-6'], names))).toBe('1-3,7-12,15-18');
  const known: Record<string, number[]> = { 'ok:last': [2, 3], usrp: [1, 3, 20], 'failed:last': [1] };
  const examples: [line: string, folded: string][] = [
    ["1-12 '&@ok:last'", '2-3'],
    ['1-5 ^4-8', '1-3,6-8'],
    ['@usrp ~@failed:last 7', '3,7,20'],
    ['1-12 and:@usrp,xor:3', '1'],
  ];
  for (const [line, folded] of examples) {
    expect(text).toContain(`    ${line} `);
    expect(fold(parseNodeSpecs(line.replaceAll("'", '').split(' '), names, undefined, (set) => known[set] ?? []))).toBe(folded);
  }
  expect(text).toContain(`at most ${MAX_NODES} nodes`);
});
