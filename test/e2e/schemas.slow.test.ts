import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseJson } from '../../src/util/json.js';
import { packageRoot } from '../../src/util/dist.js';
import { scratch } from '../helpers/cli.js';
import { complaints, schemaNames } from '../helpers/schemas.js';
import { testbedUp, type ChildTestbed } from '../helpers/testbed.js';

let testbed: ChildTestbed;
const told = new Map<string, unknown[]>();
const hear = (schema: string, values: readonly unknown[]): void => void told.set(schema, [...(told.get(schema) ?? []), ...values]);
const lines = (text: string): unknown[] => text.trimEnd().split('\n').map(parseJson);

/** What a command prints: one JSON document, or one a line. */
async function listen(schema: string, name: string, args: readonly string[], each: 'document' | 'line'): Promise<void> {
  const { stdout } = await testbed.run(name, args);
  hear(schema, each === 'line' ? lines(stdout) : [parseJson(stdout)]);
}

beforeAll(async () => {
  testbed = await testbedUp(3, '--fault', 'fit03:cmc-refused');
  await listen('event', 'imaging-load', ['1-3', '-u', '--progress', 'json'], 'line');
  await listen('event', 'imaging-load', ['1', '--if-needed', '--progress', 'json'], 'line');
  await listen('event', 'imaging-save', ['1', '-o', 'mine', '--progress', 'json'], 'line');
  await listen('event', 'imaging-wait', ['1-2', '--progress', 'json'], 'line');
  await listen('event', 'imaging-status', ['1-3', '--progress', 'json'], 'line');
  await listen('event', 'imaging-which', ['1-3', '-t', '2', '--progress', 'json'], 'line');
  await listen('event', 'imaging-runs', ['events', 'last-load'], 'line');
  await listen('which', 'imaging-which', ['1-3', '-t', '2', '--json'], 'line');
  await listen('runs-list', 'imaging-runs', ['list', '--json'], 'document');
  await listen('runs-show', 'imaging-runs', ['show', 'last-load', '--json'], 'document');
  await listen('runs-stats', 'imaging-runs', ['stats', '--json'], 'document');
  await listen('list', 'imaging-list', ['--all', '--json'], 'document');
  const imagesDir = join(testbed.dir, 'images');
  await listen('config', 'imaging-config', ['--json'], 'document');
  await listen('resolve', 'imaging-resolve', ['--json', 'mine'], 'document');
  await listen('dry-run', 'imaging-load', ['1', '--dry-run', '--progress', 'json'], 'document');
  await listen(
    'image-zip',
    'imaging-image',
    ['zip', join(testbed.dir, 'nodes/fit02/disk.img'), join(imagesDir, 'zip.ndz'), '--json'],
    'document',
  );
  await listen('image-unzip', 'imaging-image', ['unzip', join(imagesDir, 'zip.ndz'), join(imagesDir, 'out.img'), '--json'], 'document');
  for (const image of ['zip.ndz', 'default.ndz'])
    await listen('image-info', 'imaging-image', ['info', join(imagesDir, image), '--json'], 'document');
  await listen('image-verify', 'imaging-image', ['verify', join(imagesDir, 'zip.ndz'), '--json'], 'document');
  await listen('image-verify', 'imaging-image', ['verify', join(imagesDir, 'zip.ndz'), join(imagesDir, 'out.img'), '--json'], 'document');
  await listen('image-verify', 'imaging-image', ['verify', join(imagesDir, 'out.img'), '--json'], 'document');
  await listen('image-diff', 'imaging-image', ['diff', join(imagesDir, 'zip.ndz'), join(imagesDir, 'default.ndz'), '--json'], 'document');
  await listen('inventory-check', 'imaging-inventory', ['check', '--json'], 'document');
  await listen('inventory-show', 'imaging-inventory', ['show', '--json'], 'document');
  await listen('doctor', 'imaging-doctor', ['--json'], 'document');
  const [list] = told.get('runs-list') ?? [];
  const folder = Array.isArray(list) ? (list as { folder: string }[]).map((run) => run.folder) : []; // as: the schema is asked below
  for (const name of ['plan', 'result'])
    hear(
      name,
      folder.map((path) => parseJson(readFileSync(join(path, `${name}.json`), 'utf8'))),
    );
  await watch();
  const leases = join(scratch(), 'leases.conf');
  writeFileSync(leases, `[leases]\nbackend = local\nfile = ${join(testbed.dir, 'leases.db')}\nprivileged = nobody-at-all\n`);
  testbed.env.IMAGING_CONFIG += `:${leases}`;
  await listen('leases-book', 'imaging-leases', ['book', '00:00', '+2d', '--nodes', '1-2', '--json'], 'document');
  await listen('leases-list', 'imaging-leases', ['list', '--json'], 'document');
  await listen('leases-check', 'imaging-leases', ['check', '1-3', '--json'], 'document');
  await listen('leases-cancel', 'imaging-leases', ['cancel', '1', '--json'], 'document');
}, 120_000);
afterAll(() => testbed.close());

/** The first snapshot, and what an `off` changes. */
async function watch(): Promise<void> {
  const { child, finished } = testbed.start('imaging-monitor', ['--cycle', '0.2', '--json']);
  let text = '';
  const heard = (what: string): Promise<void> =>
    new Promise((resolve) => {
      const look = (): void => {
        if (!text.includes(what)) return;
        child.stdout.off('data', look);
        resolve();
      };
      child.stdout.on('data', look);
    });
  child.stdout.on('data', (piece: string) => (text += piece));
  await heard('"type":"snapshot"');
  const changed = heard('"cmc":"off"');
  await testbed.run('imaging-off', ['1']);
  await changed;
  child.kill('SIGINT');
  await finished;
  hear('watch', lines(text));
}

describe('what is printed is what the schemas say', () => {
  test.each(schemaNames)('%s', (name) => {
    const values = told.get(name) ?? [];
    expect(values.length, 'nothing was heard').toBeGreaterThan(0);
    for (const value of values) expect(complaints(name, value), JSON.stringify(value)).toEqual([]);
  });

  test('every kind of result was among it, but that of old runs', () => {
    const types = (told.get('event') ?? []).map((event) => (event as { result?: { type: string } | null }).result?.type); // as: the schema was asked
    expect([...new Set(types)].filter((type) => type !== undefined).sort()).toEqual([
      'already-there',
      'card',
      'loaded',
      'saved',
      'up',
      'which',
    ]);
  });

  test('something else is refused', () => {
    expect(complaints('event', { at: 1, run: 'r', seq: 0, type: 'target.step', target: 'fit01', step: 'boot' })).not.toEqual([]);
    expect(complaints('event', { at: 1, run: 'r', seq: 0, type: 'run.note', text: 'x' })).toEqual([]);
    expect(complaints('event', { at: 1, run: 'r', seq: 0, type: 'run.note', text: 'x', more: 1 })).not.toEqual([]); // in no type
    expect(complaints('runs-list', [{ run: 'r' }])).not.toEqual([]);
    expect(complaints('which', { node: 'fit01', image: 'x' })).not.toEqual([]);
  });
});

test.runIf(process.env.IMAGING_SLOW_TESTS === '1')(
  'the schemas are what the types say',
  () => {
    const { status, stderr } = spawnSync(process.execPath, ['scripts/schemas.mjs', '--check'], { cwd: packageRoot, encoding: 'utf8' });
    expect(stderr).toBe('');
    expect(status).toBe(0);
  },
  120_000,
);
