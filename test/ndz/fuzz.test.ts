import { expect, it } from 'vitest';
import { fuzzImages } from './fuzz.js';
import { temporaryFolder } from './images.js';

// scripts/fuzz-ndz.mjs does a hundred thousand
it('damaged images are refused, or are the very disk they were: 800 of them', { timeout: 60_000 }, async () => {
  const report = await fuzzImages(await temporaryFolder(), 800, 20_150_514);
  expect(Object.keys(report.refused).sort()).toEqual(expect.arrayContaining(['ndz-bad-header', 'ndz-bad-magic', 'ndz-bad-stream', 'ndz-checksum', 'ndz-chunk-order', 'ndz-cut', 'ndz-empty', 'ndz-truncated', 'ndz-uuid-mismatch']));
  expect(report.accepted).toBeGreaterThan(0);
  expect(report.slowestMs).toBeLessThan(5000);
  expect(report.peakBytes).toBeLessThan(1024 * 1024 * 1024);
});
