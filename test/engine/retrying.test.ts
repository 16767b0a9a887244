import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Failure } from '../../src/util/errors.js';
import { Final, retrying } from '../../src/engine/retrying.js';
import { sshPatienceMs } from '../../src/ssh/patience.js';
import { oneNode } from '../helpers/nodes.js';
import { nodeRun } from '../helpers/node-run.js';
import { fail, type SshCode } from '../../src/ssh/failures.js';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());
const never = new AbortController().signal;

/** The times, in milliseconds from the first, at which `codes.length + 1` attempts are made; all but the last fail so. */
async function attemptsAt(codes: readonly SshCode[], random = 0): Promise<number[]> {
  const at: number[] = [];
  const { run } = nodeRun(oneNode(1), { random: () => random });
  const done = retrying(run, { backoffMs: 3_000, atLeastMs: sshPatienceMs }, never, async () => {
    const code = codes[at.length];
    at.push(Date.now());
    if (code !== undefined) throw fail(code, code);
  });
  await vi.runAllTimersAsync();
  await done;
  return at.map((ms) => ms - (at[0] ?? 0));
}

test.each([0, 0.999])('an sshd that lets us not in is left alone for 15 s and more, ever longer (random %d)', async (random) => {
  const at = await attemptsAt(
    Array.from({ length: 12 }, () => 'ssh-auth-failed' as const),
    random,
  );
  const pauses = at.slice(1).map((ms, index) => ms - (at[index] ?? 0));
  expect(Math.min(...pauses)).toBeGreaterThanOrEqual(15_000);
  expect(pauses[0]).toBeLessThan(18_100);
  expect(pauses.at(-1)).toBeGreaterThanOrEqual(60_000);
});

test('what an sshd counts never adds up to the 15 s from which it shuts everybody out', async () => {
  const costs: readonly (readonly [SshCode, number])[] = [
    ['ssh-auth-failed', 5],
    ['ssh-closed', 1],
    ['ssh-protocol', 1],
    ['ssh-no-algorithm', 1],
    ['ssh-shut-out', 0],
  ];
  for (const [code, cost] of costs) {
    let penaltyS = 0;
    let before = 0;
    for (const ms of await attemptsAt(Array.from({ length: 40 }, () => code))) {
      penaltyS = Math.max(0, penaltyS - (ms - before) / 1000) + cost;
      before = ms;
      expect(penaltyS, code).toBeLessThan(15);
    }
  }
});

test('where nobody counts, attempts follow each other soon and then at the usual pace', async () => {
  const at = await attemptsAt(
    Array.from({ length: 30 }, () => 'ssh-refused' as const),
    0.5,
  );
  expect(at[1]).toBe(100);
  expect((at[30] ?? 0) - (at[29] ?? 0)).toBe(3_000);
  expect(sshPatienceMs('ssh-refused', 3)).toBe(0);
});

test('what no attempt changes ends them at once', async () => {
  const { run } = nodeRun(oneNode(1));
  const failure = fail('ssh-no-algorithm', 'nothing in common');
  let attempts = 0;
  await expect(
    retrying(run, { backoffMs: 1 }, never, async () => {
      attempts += 1;
      throw new Final(failure);
    }),
  ).rejects.toBe(failure);
  expect(attempts).toBe(1);
});
