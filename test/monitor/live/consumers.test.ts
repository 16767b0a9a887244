import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { ChangeLog } from '../../../src/monitor/live/change-log.js';
import { Consumers } from '../../../src/monitor/live/consumers.js';
import { unseen, type NodeView } from '../../../src/events/node-view.js';

/** Consumers of server-sent events on real connections, none of which is ever read; the test holds the clock. */
async function streams(nodes: number) {
  const state: NodeView = unseen(0);
  const log = new ChangeLog('w', new Map(Array.from({ length: nodes }, (_, i) => [`fit${i}`, state])), () => 7);
  const clock = { nowMs: 0 };
  const consumers = new Consumers(log, () => clock.nowMs);
  const http = createServer().listen(0, '127.0.0.1');
  await once(http, 'listening');
  const { port } = http.address() as AddressInfo; // as: it listens on TCP
  onTestFinished(() => {
    http.closeAllConnections();
    http.close();
  });
  const open = async (): Promise<{ response: ServerResponse; socket: Socket }> => {
    const socket = connect(port, '127.0.0.1')
      .on('error', () => undefined)
      .pause();
    onTestFinished(() => void socket.destroy());
    socket.write('GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n');
    const [, response] = (await once(http, 'request')) as [unknown, ServerResponse];
    consumers.addEvents(response, null);
    return { response, socket };
  };
  const change = (): void => log.add({ seq: log.seq + 1, at: log.seq, node: 'fit0', was: {}, now: { cmc: 'on' }, state: { ...state } });
  return { consumers, clock, open, change };
}

test('a stream that takes nothing between two beats is dropped', async () => {
  const { consumers, open, change } = await streams(20_000);
  const { response } = await open();
  while (response.writableLength === 0) {
    for (let i = 0; i < 10_000; i++) change(); // more than are kept: a snapshot of 20,000 nodes each time
    await new Promise((resolve) => setImmediate(resolve));
  }
  consumers.beat();
  expect(consumers.size).toBe(1);
  const closed = once(response, 'close');
  consumers.beat();
  await closed;
  expect(consumers.size).toBe(0);
});

test('when all places are taken, the stream that has been there longest makes room, once it has been there for a while', async () => {
  const { consumers, clock, open } = await streams(1);
  const first = await open();
  for (let i = 1; i < 100; i++) await open();
  clock.nowMs = 29_000;
  expect(consumers.hasPlace()).toBe(false);
  clock.nowMs = 30_000;
  expect(consumers.hasPlace()).toBe(true);
  expect(first.response.writableEnded).toBe(true);
  expect(consumers.size).toBe(99);
});
