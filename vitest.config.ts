import { defineConfig } from 'vitest/config';

/**
 * What is to be the same without system calls of our own as with them: everything that sends or receives a session. Once more
 * among the slow tests, where a few of the others come along, too.
 */
const sessions = [
  'test/frisbee/{fuzz,interop-modes,peers,transfer}.slow.test.ts',
  'test/frisbee/{forged,interop}.test.ts',
  'test/programs/frisbee*.test.ts',
  'test/programs/frisbee-identity.slow.test.ts',
  'test/testbed/netns.test.ts',
  'test/e2e/load.test.ts',
];

/** `npm test` is what fits into a few minutes; `npm run test:slow` (and so CI) is the rest, files named *.slow.test.ts. */
const slow = process.env.IMAGING_SLOW_TESTS === '1';

export default defineConfig({
  test: {
    projects: slow
      ? [
          { extends: true, test: { name: 'slow', include: ['test/**/*.slow.test.ts'] } },
          { extends: true, test: { name: 'without system calls', include: sessions, exclude: [], env: { IMAGING_NATIVE_OFF: 'all' } } },
        ]
      : [
          {
            extends: true,
            test: { name: 'quick', include: ['test/**/*.test.ts', 'test/**/*.test.tsx'], exclude: ['test/**/*.slow.test.ts'] },
          },
        ],
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
