import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openCollector, type Collector } from '../../../src/workflows/steps/collector.js';
import { scratch } from '../../helpers/cli.js';

const [GATEWAY, NODE, STRANGER] = ['127.0.0.1', '127.0.3.77', '127.0.3.78'];
let path: string;
let ending: AbortController;
let collector: Collector;
let totals: number[];
let firstBytes: Promise<void>;

beforeEach(() => {
  path = join(scratch(), 'image.partial');
  ending = new AbortController();
  totals = [];
});
afterEach(() => collector.close());

async function open(): Promise<void> {
  let came = (): void => {};
  firstBytes = new Promise((resolve) => (came = resolve));
  const onBytes = (total: number): void => {
    totals.push(total);
    came();
  };
  collector = await openCollector({ localIp: GATEWAY, nodeIp: NODE, path, signal: ending.signal, onBytes });
}

async function dial(from: string): Promise<Socket> {
  const socket = connect({ host: GATEWAY, port: collector.port, localAddress: from });
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  return socket;
}

test('takes the whole stream of its node, and what it is', async () => {
  await open();
  const socket = await dial(NODE);
  await collector.connected;
  const bytes = Buffer.alloc(1_000_003, 'image ');
  socket.end(bytes);
  expect(await collector.received).toEqual({ bytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') });
  expect(readFileSync(path).equals(bytes)).toBe(true);
  expect(totals.at(-1)).toBe(bytes.length);
});

test('takes nothing from anybody else, and goes on waiting for its node', async () => {
  await open();
  const stranger = await dial(STRANGER);
  stranger.write('not an image');
  await once(stranger, 'close');
  const socket = await dial(NODE);
  socket.end('image');
  expect((await collector.received).bytes).toBe(5);
  expect(readFileSync(path, 'utf8')).toBe('image');
});

test('fails when the node breaks off, or the file is there already', async () => {
  await open();
  const socket = await dial(NODE);
  socket.write('half');
  await firstBytes;
  socket.resetAndDestroy();
  await expect(collector.failed).rejects.toThrow(
    expect.objectContaining({ code: 'collect-broken', blame: 'node', hint: expect.stringContaining('power') as unknown }),
  );
  await collector.close();
  writeFileSync(path, 'somebody else’s');
  await open();
  (await dial(NODE)).end('image');
  await expect(collector.received).rejects.toThrow(
    expect.objectContaining({ code: 'collect-failed', blame: 'site', hint: expect.stringContaining('another run') as unknown }),
  );
  expect(readFileSync(path, 'utf8')).toBe('somebody else’s');
});

test('ends at once when its signal does, and nothing writes after close', async () => {
  await open();
  const socket = await dial(NODE);
  socket.write('half');
  await firstBytes;
  const closed = once(socket, 'close');
  ending.abort(new Error('Ctrl-C'));
  await expect(collector.received).rejects.toThrow('Ctrl-C');
  await collector.close();
  socket.write('more');
  await closed;
  expect(existsSync(path) ? readFileSync(path, 'utf8') : '').not.toContain('more');
});

test('that nobody has connected to can be closed', async () => {
  await open();
  await collector.close();
  await expect(collector.received).rejects.toThrow('given up');
});
