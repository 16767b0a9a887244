import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Outcome } from '../../../src/events/outcome.js';
import { createLinks, type NextBootLinks } from '../../../src/pxe/links.js';
import { untilAborted } from '../../../src/util/abort.js';
import { Failure } from '../../../src/util/errors.js';
import { systemHost } from '../../../src/util/host.js';
import { UndoStack } from '../../../src/util/undo.js';
import { FIRST_ATTEMPT, inAttempts } from '../../../src/engine/attempts.js';
import { fanOut } from '../../../src/engine/fan-out.js';
import type { NodeRun } from '../../../src/workflows/node-steps.js';
import { holding } from '../../../src/workflows/steps/hold.js';
import { Interrupted } from '../../../src/engine/interrupted.js';
import { mayAct } from '../../../src/workflows/steps/may-act.js';
import { nodeRun } from '../../helpers/node-run.js';
import { oneNode } from '../../helpers/nodes.js';
import { fail as pxeFail } from '../../../src/pxe/failures.js';
import { fail as engineFail } from '../../../src/engine/failures.js';
import { fail as telnetFail } from '../../../src/telnet/failures.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'imaging-hold-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const links = (run: string): NextBootLinks => createLinks({ configDir: folder, target: 'pxefrisbee', host: systemHost, run });
const node = oneNode(1);
const { mac } = node.control;

/** A run that holds the node while it does `work`. */
async function holdWhile(
  ours: NextBootLinks,
  work: (node: NodeRun) => Promise<string>,
  signal = new AbortController().signal,
  undo = new UndoStack(),
): Promise<Outcome<string>> {
  const tools = { undo, links: ours, permit: null, waitLockMs: 0 };
  const options = { concurrency: 1, targetDeadlineMs: Infinity, firstStep: 'lock', signal, host: systemHost, emit: () => {} } as const;
  const [outcome] = await fanOut([node], options, (one: NodeRun) => holding(one, tools, work));
  if (!outcome) throw new Error('no outcome');
  return outcome;
}

/** Another run's record comes in the place of ours. */
async function takeOver(): Promise<string> {
  const record = readdirSync(folder).find((name) => name.startsWith('.imaging-01')) ?? '';
  rmSync(join(folder, record));
  await links('run-2').place(mac, node.name);
  return readFileSync(join(folder, record), 'utf8');
}

test('a node that another run took over ends at once when a sign of life shows it, in whatever step', async () => {
  const ours = links('run-1');
  const outcome = await holdWhile(ours, (one) =>
    one.at('write', Infinity, async (signal) => {
      await takeOver();
      void ours.beat();
      return untilAborted(signal, new Promise<string>(() => {}));
    }),
  );
  expect(outcome).toMatchObject({
    ok: false,
    failure: { step: 'write', code: 'lock-lost', message: expect.stringContaining('run run-2') as string },
  });
  expect(readdirSync(folder)).toHaveLength(2); // the other's record and link
});

test('it is not tried again, and no step that cannot be taken back begins', async () => {
  const ours = links('run-1');
  let attempts = 0;
  const outcome = await holdWhile(ours, (one) =>
    inAttempts(
      one,
      { passes: 3, pauseMs: 1, attemptDeadlineMs: 60_000 },
      () => true,
      async (tried) => {
        attempts += 1;
        await takeOver();
        return tried.at('reset', 60_000, async (signal) => {
          await mayAct(tried, { permit: null, links: ours }, signal);
          return 'reset';
        });
      },
    ),
  );
  expect(outcome).toMatchObject({ ok: false, failure: { step: 'reset', code: 'lock-lost' } });
  expect(attempts).toBe(FIRST_ATTEMPT.number);
});

test('what its work ran into because the other reset it is not blamed on the node', async () => {
  const outcome = await holdWhile(links('run-1'), async (one) => {
    await takeOver();
    return one.at('write', Infinity, () => Promise.reject(telnetFail('telnet-closed', 'telnet has closed')));
  });
  expect(outcome).toMatchObject({ ok: false, failure: { step: 'write', code: 'lock-lost' } });
});

test('other failures stay what they are, and an interrupt is one', async () => {
  const failed = await holdWhile(links('run-1'), (one) =>
    one.at('write', Infinity, () => Promise.reject(telnetFail('telnet-closed', 'telnet has closed'))),
  );
  expect(failed).toMatchObject({ ok: false, failure: { code: 'telnet-closed' } });
  const run = new AbortController();
  const undo = new UndoStack();
  const interrupted = await holdWhile(
    links('run-1'),
    async (one) => {
      run.abort(new Interrupted('SIGINT', 130));
      await undo.run();
      return one.at('write', Infinity, () => Promise.resolve('written'));
    },
    run.signal,
    undo,
  );
  expect(await undo.run()).toEqual([]);
  expect(interrupted).toMatchObject({ ok: false, failure: { code: 'interrupted' } });
  expect(readdirSync(folder)).toEqual([]);
});

test('a node that is given up stays ours until its last deeds are done', async () => {
  const ours = links('run-1');
  const enough = new AbortController();
  const undo = new UndoStack();
  let wasOurs: boolean | null = null;
  const outcome = await holdWhile(
    ours,
    async (one) => {
      try {
        return await one.at('boot', Infinity, (signal) => {
          enough.abort(engineFail('given-up', 'enough nodes are done'));
          return untilAborted(signal, new Promise<string>(() => {}));
        });
      } finally {
        await new Promise((resolve) => setImmediate(resolve));
        wasOurs = await ours.check(mac, node.name).then(
          () => true,
          () => false,
        );
      }
    },
    enough.signal,
    undo,
  );
  expect(await undo.run()).toEqual([]);
  expect(outcome).toMatchObject({ ok: false, failure: { code: 'given-up' } });
  expect(wasOurs).toBe(true);
  expect(readdirSync(folder)).toEqual([]);
});

describe('a node that another run holds', () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] }));
  afterEach(() => void vi.useRealTimers());
  const never = new AbortController().signal;

  /** Asks for a node until `freeAtMs`; how that ends, when, and how often it was asked for. */
  async function waitFor(waitLockMs: number, freeAtMs: number) {
    const startMs = performance.now();
    const passedMs = (): number => performance.now() - startMs;
    let asked = 0;
    const fakeLinks = {
      claim: async () => {
        asked += 1;
        if (passedMs() < freeAtMs) throw pxeFail('node-busy', 'fit01 is in the hands of run R', 'wait');
        return never;
      },
      check: async () => {},
      release: async () => {},
    };
    const { run, events } = nodeRun(node, { random: () => 0.5 });
    const tools = { undo: new UndoStack(), links: fakeLinks, permit: null, waitLockMs };
    const ending = holding(run, tools, async () => 'ours').then(
      (value) => ({ value, atMs: passedMs() }),
      (failure: unknown) => ({ failure, atMs: passedMs() }),
    );
    await vi.runAllTimersAsync();
    return { ...(await ending), asked, notes: events.filter(({ type }) => type === 'target.note') };
  }

  test('is waited for as long as was said, and asked for every second', async () => {
    expect(await waitFor(10_000, 3_500)).toMatchObject({
      value: 'ours',
      atMs: 4_000,
      asked: 5,
      notes: [{ text: expect.stringContaining('run R') as unknown }],
    });
    expect(await waitFor(10_000, Infinity)).toMatchObject({ failure: { code: 'node-busy' }, atMs: 10_000, asked: 11 });
  });

  test('and not at all unless it was said', async () => {
    expect(await waitFor(0, Infinity)).toMatchObject({ failure: { code: 'node-busy' }, atMs: 0, asked: 1, notes: [] });
  });
});
