import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { commands } from '../../src/cli/table.js';
import { emptyState, applyEvent } from '../../src/events/reducer.js';
import { prometheusText } from '../../src/runs/prometheus.js';
import { resultOf } from '../../src/runs/result-file.js';
import { packageRoot } from '../../src/util/dist.js';
import { aPlan, someEvents } from './stored.js';

const text = readFileSync(join(packageRoot, 'docs/runs.md'), 'utf8');
const paragraph = (start: string): string => text.split('\n\n').find((block) => block.startsWith(start)) ?? '';
const names = (block: string): string[] => [...block.matchAll(/`([a-z_A-Z]+)`/g)].map((match) => match[1] ?? '');

test('docs/runs.md has every action of imaging-runs, and no other', () => {
  const words = commands.find(({ name }) => name === 'runs')?.words ?? '';
  const actions = words.split('|').map((part) => part.trim().split(' ')[0]);
  expect([...text.matchAll(/^\| `imaging-runs \[?([a-z]+)\]?/gm)].map((match) => match[1])).toEqual(actions);
});

test('it has every field of plan.json and result.json, and every metric', () => {
  expect(names(paragraph('`plan.json`:'))).toEqual(expect.arrayContaining(Object.keys(aPlan('x'))));
  const result = resultOf(someEvents('x', true).reduce(applyEvent, emptyState()));
  expect(names(paragraph('`result.json`:'))).toEqual(expect.arrayContaining(Object.keys(result ?? { missing: 1 })));
  const metrics = [...prometheusText([], [], 0).matchAll(/^# TYPE (\w+)/gm)].map((match) => match[1]);
  expect(metrics.length).toBeGreaterThan(5);
  for (const metric of metrics) expect(text).toContain(`\`${metric}\``);
});
