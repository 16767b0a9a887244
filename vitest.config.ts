import { defineConfig } from 'vitest/config';

/** `npm test` is what fits into a few minutes; `npm run test:slow` (and so CI) is the rest, files named *.slow.test.ts. */
const slow = process.env.IMAGING_SLOW_TESTS === '1';

export default defineConfig({
  test: {
    include: slow ? ['test/**/*.slow.test.ts'] : ['test/**/*.test.ts', 'test/**/*.test.tsx'],
    exclude: slow ? [] : ['test/**/*.slow.test.ts'],
    testTimeout: 30_000,
    hookTimeout: 30_000,
    pool: 'forks',
    // one more than there are processors on a small machine: many tests wait for something
    maxWorkers: 3,
  },
});
