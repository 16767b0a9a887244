import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { createPowerClient } from '../../../src/power/client.js';
import { UndoStack } from '../../../src/util/undo.js';
import { ensureReset, type ResetProof } from '../../../src/workflows/steps/ensure-reset.js';
import type { Sign } from '../../../src/workflows/steps/liveness.js';
import { nodeRun } from '../../helpers/node-run.js';
import { oneNode } from '../../helpers/nodes.js';
import { fakeCard } from './fake-card.js';

const ends: (() => Promise<unknown> | void)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});
const never = new AbortController().signal;

/** A card; what it was asked. */
async function card(handler: (verb: string, ...rest: Parameters<RequestListener>) => void): Promise<{ port: number; asked: string[] }> {
  const asked: string[] = [];
  const server: Server = createServer((request, response) => {
    const verb = request.url?.slice(1) ?? '';
    asked.push(verb);
    handler(verb, request, response);
  }).listen(0, '127.0.1.7');
  await once(server, 'listening');
  ends.push(() => (server.closeAllConnections(), void server.close()));
  return { port: (server.address() as AddressInfo).port, asked }; // a TCP server's address is never a string
}

function reset(port: number, signs: Sign[], proof: Partial<ResetProof> = {}, requestTimeoutMs = 5_000): Promise<boolean> {
  const { run } = nodeRun(oneNode(7), { random: () => 0 });
  const power = createPowerClient({ port, requestTimeoutMs, busyPauseMs: 2 });
  ends.push(() => power.close());
  const tools = { power, undo: new UndoStack(), recordEnd: async () => {} };
  return ensureReset(run, { on: true, take: async () => signs, newSystem: null, powerCycle: false, graceMs: 50, ...proof }, tools, never);
}

const sign = (gone: () => Promise<void>): Sign => ({ probe: 'telnet', gone, release: () => {} });

test('a reset whose answer got lost is not sent again where its effect can be seen', async () => {
  const { port, asked } = await card((_, request) => request.socket.destroy());
  expect(await reset(port, [sign(async () => {})])).toBe(true);
  expect(asked).toEqual(['reset']);
});

test('when it had none, off and on', async () => {
  let isOff = false;
  const { port, asked } = await card((verb, request, response) => {
    isOff ||= verb === 'off';
    if (verb === 'reset') request.socket.destroy();
    else response.end('ok');
  });
  const lives = sign(() => (isOff ? Promise.resolve() : new Promise(() => {})));
  expect(await reset(port, [lives])).toBe(true);
  expect(asked).toEqual(['reset', 'off', 'on']);
});

test('where nothing answered before, one more reset hurts nobody', async () => {
  let times = 0;
  const { port, asked } = await card((_, request, response) => ((times += 1) < 3 ? request.socket.destroy() : response.end('ok')));
  expect(await reset(port, [])).toBe(false);
  expect(asked).toEqual(['reset', 'reset', 'reset']);
});

test('a card that never answers whole is a failure', async () => {
  const { port, asked } = await card((_, request) => request.socket.destroy());
  await expect(reset(port, [])).rejects.toMatchObject({ code: 'cmc-closed' });
  expect(asked).toHaveLength(3);
});

test('a card that is silent when the node is to be switched on again is a failure of the card, no defect', async () => {
  let isOff = false;
  const { port } = await card((verb, request, response) => {
    isOff ||= verb === 'off';
    if (verb === 'reset') request.socket.destroy();
    else if (verb === 'off') response.end('ok');
  });
  const lives = sign(() => (isOff ? Promise.resolve() : new Promise(() => {})));
  await expect(reset(port, [lives], {}, 60_000)).rejects.toMatchObject({ name: 'Failure', code: 'cmc-timeout' });
});

describe('a card that acknowledges', () => {
  afterEach(() => void vi.useRealTimers());

  /** A reset of a node that is there until `isGone`; the clock stands still but for what is waited for. */
  async function resetOf(isGone: (asked: readonly string[]) => boolean, proof: Partial<ResetProof> = {}, status: 'on' | 'off' = 'on') {
    vi.useFakeTimers();
    const card = fakeCard(async () => status);
    const { run, events } = nodeRun(oneNode(7), { random: () => 0 });
    const gone = async (signal: AbortSignal): Promise<void> => {
      while (!isGone(card.asked))
        await new Promise((resolve, reject) => (setTimeout(resolve, 100), signal.addEventListener('abort', reject)));
    };
    let released = 0;
    const signs: Sign[] = [{ probe: 'ssh', gone, release: () => void (released += 1) }];
    const tools = { power: card.power, undo: new UndoStack(), recordEnd: async () => {} };
    const whole = { on: true, take: async () => signs, newSystem: null, powerCycle: false, graceMs: 20_000, ...proof };
    const done = ensureReset(run, whole, tools, never).then(
      (proven) => ({ proven }),
      (failure: unknown) => ({ failure }),
    );
    await vi.runAllTimersAsync();
    return { ...card, events, end: await done, released: () => released };
  }

  test('and resets: one verb, and it is proven by what went away', async () => {
    const { asked, end, released } = await resetOf((verbs) => verbs.includes('reset'));
    expect([asked, end, released()]).toEqual([['reset'], { proven: true }, 1]);
  });

  test('and ignores it: off and on after the grace', async () => {
    const { asked, askedAtMs, end, events } = await resetOf((verbs) => verbs.includes('off'));
    expect([asked, askedAtMs, end]).toEqual([['reset', 'off', 'on'], [0, 20_000, 20_000], { proven: true }]);
    expect(events).toContainEqual(
      expect.objectContaining({
        type: 'target.retry',
        reason: 'reset was acknowledged, but ssh still answered 20 s later; switching off and on instead',
      }),
    );
  });

  test('and does nothing at all: off twice, on in any case, three times the grace, and a failure', async () => {
    const { asked, askedAtMs, end } = await resetOf(() => false);
    expect(asked).toEqual(['reset', 'off', 'off', 'on']);
    expect(askedAtMs).toEqual([0, 20_000, 40_000, 60_000]);
    expect(end).toMatchObject({ failure: { code: 'reset-ignored' } });
  });

  test('on a later attempt no reset is tried first', async () => {
    const { asked, end } = await resetOf((verbs) => verbs.includes('off'), { powerCycle: true });
    expect([asked, end]).toEqual([['off', 'on'], { proven: true }]);
  });

  test('a node that is off is only switched on', async () => {
    const { asked, end, released } = await resetOf(() => false, { on: false }, 'off');
    expect([asked, end, released()]).toEqual([['status', 'on'], { proven: true }, 1]);
  });

  test('a new system is proof, too, where telnet was not among what answered', async () => {
    const { asked, end } = await resetOf(() => false, { newSystem: () => new Promise((resolve) => setTimeout(resolve, 5_000)) });
    expect([asked, end]).toEqual([['reset'], { proven: true }]);
  });
});
