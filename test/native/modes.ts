import { afterAll, beforeAll, describe } from 'vitest';
import type { Capability } from '../../src/native/capability.js';
import { OFF_VARIABLE } from '../../src/native/switches.js';

/**
 * The same tests with a capability and without it; where this machine does not have it, its half is skipped with the reason.
 * `why`: a reason to skip both.
 */
export async function inBothModes<T>(of: Capability<T>, why: string | null, tests: (isOn: boolean) => void): Promise<void> {
  const whyOff = why ?? (await of.whyOff());
  describe.skipIf(whyOff !== null)(`${of.name} on${whyOff === null ? '' : ` (skipped: ${whyOff})`}`, () => tests(true));
  describe.skipIf(why !== null)(`${of.name} off${why === null ? '' : ` (skipped: ${why})`}`, () => {
    const before = process.env[OFF_VARIABLE];
    beforeAll(() => void (process.env[OFF_VARIABLE] = of.name));
    afterAll(() => {
      if (before === undefined) delete process.env[OFF_VARIABLE];
      else process.env[OFF_VARIABLE] = before;
    });
    tests(false);
  });
}
