import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { keepImage, type Origin } from '../../../src/workflows/steps/keep-image.js';
import { scratch } from '../../helpers/cli.js';

const from: Origin = {
  image: 'x',
  node: 'fit01',
  by: 'me',
  gateway: 'faraday',
  savedAt: '2026-11-28T12:00:00.000Z',
  comment: null,
  base: null,
  stamp: null,
  disk: null,
  notStamped: null,
};

test('an image that a node has made badly is the fault of the node, and may be better the next time', async () => {
  const partial = join(scratch(), 'x.partial');
  writeFileSync(partial, Buffer.alloc(1_048_576, 'no image'));
  const keeping = keepImage(partial, () => `${partial}.ndz`, from, { bytes: 1_048_576, sha256: '' }, new AbortController().signal);
  await expect(keeping).rejects.toThrow(expect.objectContaining({ code: 'ndz-bad-magic', blame: 'node', cure: 'again' }));
});

test('one that the gateway cannot read is not', async () => {
  const partial = join(scratch(), 'gone.partial');
  const keeping = keepImage(partial, () => `${partial}.ndz`, from, { bytes: 0, sha256: '' }, new AbortController().signal);
  await expect(keeping).rejects.toThrow(expect.objectContaining({ code: 'ndz-unreadable', blame: 'site', cure: 'person' }));
});
