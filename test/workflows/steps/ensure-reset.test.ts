import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { createPowerClient } from '../../../src/power/client.js';
import { UndoStack } from '../../../src/util/undo.js';
import { ensureReset, type ResetProof } from '../../../src/workflows/steps/ensure-reset.js';
import type { Sign } from '../../../src/workflows/steps/liveness.js';
import { nodeRun } from '../../helpers/node-run.js';
import { oneNode } from '../../helpers/nodes.js';

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
