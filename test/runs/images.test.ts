import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { bootRecords, imageRecords, verifiedImage, type ImageRecord } from '../../src/runs/node-records.js';
import { systemHost } from '../../src/util/host.js';

let own: string;
let system: string;
beforeEach(() => ([own, system] = ['own', 'system'].map((name) => mkdtempSync(join(tmpdir(), `imaging-${name}-`))) as [string, string])); // two names give two folders
afterEach(() => [own, system].forEach((dir) => rmSync(dir, { recursive: true })));

const written: ImageRecord = {
  state: 'written',
  name: 'fedora-21',
  path: '/var/lib/imaging/fedora-21.ndz',
  digest: 'sha256:00',
  run: '20261126-091500-load-3f2a',
  by: 'alice',
  at: 5_000,
  verify: 'sample',
  booted: true,
  stamp: null,
};

test('what is recorded is read back, the newest of all folders', async () => {
  const [mine, roots] = [imageRecords(own, [system], systemHost), imageRecords(system, [], systemHost)];
  expect(await mine.last('fit07')).toBeNull();
  await roots.record('fit07', written);
  expect(await mine.last('fit07')).toEqual({ ...written, by: systemHost.login(), believed: true });
  await mine.record('fit07', { ...written, state: 'writing', at: 6_000 });
  expect(await mine.last('fit07')).toMatchObject({ state: 'writing' });
  await roots.record('fit07', { ...written, at: 7_000 });
  expect(await mine.last('fit07')).toMatchObject({ state: 'written', at: 7_000 });
  expect(await mine.last('fit08')).toBeNull();
  expect(readdirSync(join(own, 'nodes'))).toEqual([`fit07.${systemHost.uid()}.image.json`]);
});

test.each([
  '',
  '{',
  '[]',
  'null',
  '"x"',
  JSON.stringify({ ...written, at: 'now' }),
  JSON.stringify({ ...written, verify: 'maybe' }),
  JSON.stringify({ ...written, name: undefined }),
])('a garbled record is none: %j', async (text) => {
  const records = imageRecords(own, [], systemHost);
  await records.record('fit07', written);
  writeFileSync(join(own, `nodes/fit07.${systemHost.uid()}.image.json`), text);
  expect(await records.last('fit07')).toBeNull();
});

test('a record that cannot be kept says where and why', async () => {
  writeFileSync(join(own, 'nodes'), '');
  await expect(imageRecords(own, [], systemHost).record('fit07', written)).rejects.toMatchObject({
    code: 'no-image-record',
    message: expect.stringContaining(join(own, 'nodes')),
  });
  expect(readdirSync(own)).toEqual(['nodes']);
});

describe('what a node is known to hold', () => {
  const known = async (record: Partial<ImageRecord> | null, lastBootAt: number | null) => {
    const images = imageRecords(own, [], systemHost);
    const boots = bootRecords(own, [], systemHost);
    if (record) await images.record('fit07', { ...written, ...record });
    if (lastBootAt !== null) await boots.record('fit07', 'reset', lastBootAt);
    return verifiedImage('fit07', images, boots);
  };
  const clean = { digest: 'sha256:00', verifiedAt: 5_000, verify: 'sample', cleanSince: true };

  test.each([
    ['verified, and not reset since', {}, null, clean],
    ['its own load reset it before', {}, 4_999, clean],
    ['reset since', {}, 5_001, { ...clean, cleanSince: false }],
    ['read back in full', { verify: 'full' }, null, { ...clean, verify: 'full' }],
    ['not read back', { verify: 'none' }, null, null],
    ['being written, or given up', { state: 'writing' }, null, null],
    ['of an image without digest', { digest: null }, null, null],
  ] as const)('%s', async (_, record, lastBootAt, expected) => {
    expect(await known(record, lastBootAt)).toEqual(expected);
  });

  test('nothing', async () => {
    expect(await known(null, 5_000)).toBeNull();
  });
});
