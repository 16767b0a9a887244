import { expect, test } from 'vitest';
import { fuzzImages, sweepImages } from './fuzz.js';
import { temporaryFolder } from '../helpers/images.js';

const MAX_BYTES = 1024 * 1024 * 1024;

// scripts/fuzz-ndz.mjs does a hundred thousand, and every byte
test('damaged images are refused, or are the very disk they were', { timeout: 60_000 }, async () => {
  const report = await fuzzImages(await temporaryFolder(), 800, 20_150_514);
  expect(Object.keys(report.refused).sort()).toEqual(
    expect.arrayContaining([
      'ndz-bad-header',
      'ndz-bad-magic',
      'ndz-bad-stream',
      'ndz-checksum',
      'ndz-chunk-order',
      'ndz-cut',
      'ndz-empty',
      'ndz-truncated',
      'ndz-uuid-mismatch',
    ]),
  );
  expect(report.accepted).toBeGreaterThan(0);
  expect(report.peakBytes).toBeLessThan(MAX_BYTES);
});

test('so are images with any byte of a header damaged, cut or lengthened anywhere', { timeout: 60_000 }, async () => {
  const report = await sweepImages(await temporaryFolder(), 61, 1);
  expect(report.count).toBeGreaterThan(400);
  expect(report.accepted).toBeGreaterThan(0);
});
