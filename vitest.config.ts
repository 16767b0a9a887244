import { defineConfig } from 'vitest/config';

/** `npm test` is what fits into a few minutes; `npm run test:slow` (and so CI) is the rest, files named *.slow.test.ts. */
const slow = process.env.IMAGING_SLOW_TESTS === '1';

export default defineConfig({
  test: {
    include: slow ? ['test/**/*.slow.test.ts'] : ['test/**/*.test.ts', 'test/**/*.test.tsx'],
    exclude: slow ? [] : ['test/**/*.slow.test.ts'],
    // a time-out is for what hangs: a machine that does other things as well may take many times what a quiet one does
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // on CI, where a machine may stand still for a moment, a test that failed is told and tried once more
    retry: process.env.CI === 'true' ? 1 : 0,
    pool: 'forks',
    // one more than there are processors on a small machine: many tests wait for something
    maxWorkers: 3,
  },
});
