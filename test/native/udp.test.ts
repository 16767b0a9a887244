import { createHash, randomFillSync } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { describe, expect, onTestFinished, test } from 'vitest';
import { NodeUdpSocket } from '../../src/native/node-udp-socket.js';
import { segmentsInSend } from '../../src/native/segmented-batch.js';
import { udpBatches } from '../../src/native/udp-batches.js';
import type { DatagramHandler, DatagramOrigin, UdpSocket, UdpSocketOptions } from '../../src/native/udp-socket.js';
import { systemCode } from '../../src/util/errors.js';
import { testSession } from '../helpers/frisbee.js';

type Open = (options: Partial<UdpSocketOptions>, onDatagram?: DatagramHandler) => Promise<UdpSocket>;

const fail = (error: Error): never => {
  throw error;
};
const whyNotNative = await udpBatches.whyOff();

const opening =
  (open: typeof NodeUdpSocket.open): Open =>
  async (options, onDatagram = () => undefined) => {
    const socket: UdpSocket = await open(
      { address: '127.0.0.1', port: 0, shared: false, bufferBytes: 1 << 20, headBytes: 0, clock: Date.now, ...options },
      onDatagram,
      fail,
    );
    onTestFinished(() => socket.close());
    return socket;
  };
const node = opening(NodeUdpSocket.open);
const native = opening(async (...how) => (await udpBatches.get())!.open(...how) as NodeUdpSocket);
const modes: [string, Open][] = [['node:dgram', node]];
if (whyNotNative === null) modes.push(['system calls', native]);
const pairs = modes.flatMap(([from, sender]) => modes.map(([to, receiver]) => [`${from} to ${to}`, sender, receiver] as const));

/** What datagrams are told apart by: comparing their bytes one by one takes the test runner seconds. */
const digests = (datagrams: readonly Uint8Array[]): string[] =>
  datagrams.map((each) => `${each.length} ${createHash('sha1').update(each).digest('hex')}`);

/** A socket that keeps copies of what comes, and can be waited for. */
async function inbox(open: Open, options: Partial<UdpSocketOptions> = {}) {
  const port = options.port ?? testSession().port;
  const got: Buffer[] = [];
  const from: DatagramOrigin[] = [];
  let wake = (): void => undefined;
  const socket = await open({ port, ...options }, (bytes, origin) => {
    got.push(Buffer.from(bytes));
    from.push(origin);
    wake();
  });
  const arrived = async (count: number): Promise<Buffer[]> => {
    while (got.length < count) await new Promise<void>((resolve) => (wake = resolve));
    return got;
  };
  return { socket, port, got, from, arrived };
}

const sent = (start: (done: (error: Error | null) => void) => void): Promise<void> =>
  new Promise((resolve, reject) => start((error) => (error ? reject(error) : resolve())));
const told = (start: (done: (error: Error | null) => void) => void): Promise<string | undefined> =>
  new Promise((resolve) => start((error) => resolve(systemCode(error))));

test.skipIf(whyNotNative !== null)(`what these tests are about is on here${whyNotNative ? ` (skipped: ${whyNotNative})` : ''}`, () => {
  expect(modes).toHaveLength(2);
});

describe.each(pairs)('%s', (_, sender, receiver) => {
  test('datagrams of every kind of size, each as it was sent', async () => {
    const { port, from, arrived } = await inbox(receiver);
    const out = await sender({ port: testSession().port });
    const sizes = [0, 1, 7, 0, 1048, 1047, 24, 1472, 1473, 9000, 65_506, 65_507, 3, 0];
    const datagrams = sizes.map((size) => randomFillSync(Buffer.alloc(size)));
    for (const datagram of datagrams) await sent((done) => out.send(datagram, '127.0.0.1', port, done));
    expect(digests(await arrived(sizes.length))).toEqual(digests(datagrams));
    expect(new Set(from.map(({ address }) => address))).toEqual(new Set(['127.0.0.1']));
  });

  test.each([1, 2, 59, 60, 64])('batches of %i, of several sizes, in order', async (count) => {
    const { port, got, arrived } = await inbox(receiver, { bufferBytes: 4 << 20 });
    const out = await sender({});
    for (const size of [0, 1, 24, 1023, 1048, 1472, 4096, 65_507]) {
      if (size > 0 && count > segmentsInSend(size)) continue;
      const batch = out.batch(count, size);
      expect(batch.datagrams.map((each) => each.length)).toEqual(Array(count).fill(size));
      // the second time with other bytes, and one fewer
      for (const most of [count, Math.max(1, count - 1)]) {
        for (const datagram of batch.datagrams) randomFillSync(datagram);
        const expected = digests(batch.datagrams.slice(0, most));
        await sent((done) => batch.send(most, '127.0.0.1', port, done));
        expect(digests(await arrived(most))).toEqual(expected);
        got.length = 0;
      }
    }
  });

  test('several senders at once: each of them in order, and every datagram said to be its own', async () => {
    const { port, got, from, arrived } = await inbox(receiver, { bufferBytes: 4 << 20 });
    const senders = await Promise.all(
      [1, 2, 3, 4, 5].map(async (i) => {
        const own = testSession().port;
        const out = await sender({ address: `127.0.0.${i}`, port: own });
        return { out, key: `127.0.0.${i}:${own}`, batch: out.batch(7, 100 + i) };
      }),
    );
    for (let round = 0; round < 8; round++) {
      await Promise.all(
        senders.map(({ out, batch }) => {
          batch.datagrams.forEach((datagram, i) => datagram.writeUInt32LE(round * 8 + i, 0));
          const single = Buffer.alloc(40);
          single.writeUInt32LE(round * 8 + 7, 0);
          return Promise.all([
            sent((done) => batch.send(7, '127.0.0.1', port, done)),
            sent((done) => out.send(single, '127.0.0.1', port, done)),
          ]);
        }),
      );
      await arrived((round + 1) * 8 * senders.length);
    }
    for (const { key } of senders) {
      const own = got.filter((_each, i) => `${from[i]!.address}:${from[i]!.port}` === key);
      expect(own.map((each) => each.readUInt32LE(0))).toEqual(Array.from({ length: 64 }, (_each, i) => i));
    }
  });

  test('multicast: heard by members on that interface only, and not after they left', async () => {
    const { group, port } = testSession();
    const one = await inbox(receiver, { address: group, port, shared: true });
    const two = await inbox(receiver, { address: group, port, shared: true });
    one.socket.addMembership(group, '127.0.0.1');
    two.socket.addMembership(group, '127.0.0.1');
    const out = await sender({});
    out.setMulticast({ ttl: 5, loopback: true, localIp: '127.0.0.1' });
    const batch = out.batch(3, 10);
    batch.datagrams.forEach((each, i) => each.fill(i + 1));
    await sent((done) => batch.send(3, group, port, done));
    expect((await one.arrived(3)).map((each) => each[0])).toEqual([1, 2, 3]);
    expect((await two.arrived(3)).map((each) => each[0])).toEqual([1, 2, 3]);
    expect(() => one.socket.addMembership(group, '127.0.0.1')).toThrow(/EADDRINUSE/);
    one.socket.dropMembership(group, '127.0.0.1');
    two.socket.dropMembership(group, '127.0.0.1');
    // lo keeps hearing a group as long as there is any member: with none, this one is nobody's
    await sent((done) => out.send(Buffer.from('late'), group, port, done));
    two.socket.addMembership(group, '127.0.0.1');
    await sent((done) => out.send(Buffer.from('again'), group, port, done));
    expect((await two.arrived(4)).at(-1)?.toString()).toBe('again');
    expect(() => one.socket.addMembership(group, '192.0.2.77')).toThrow(/ENODEV/);
  });
});

describe.each(modes)('%s', (_, open) => {
  test('a handler gets heads and bodies apart, and when they came', async () => {
    const { port } = testSession();
    const got: string[] = [];
    await open({ port, headBytes: 3, clock: () => 42 }, (bytes, _from, at, body) =>
      got.push(`${String(bytes)} ${at} ${String(Buffer.from(body))}`),
    );
    const out = await open({});
    const batch = out.batch(2, 5);
    batch.datagrams.forEach((datagram, i) => datagram.write(`abc0${i}`));
    await sent((done) => batch.send(2, '127.0.0.1', port, done));
    for (const text of ['abcd', 'abc', 'a', '']) await sent((done) => out.send(Buffer.from(text), '127.0.0.1', port, done));
    await expect.poll(() => got).toEqual(['abc00 42 00', 'abc01 42 01', 'abcd 42 d', 'abc 42 ', 'a 42 ', ' 42 ']);
  });

  test('a datagram that is too long is refused', async () => {
    const out = await open({});
    expect(await told((done) => out.send(Buffer.alloc(65_508), '127.0.0.1', 9, done))).toBe('EMSGSIZE');
  });

  test('who may not bind, and why', async () => {
    const { port } = testSession();
    await open({ port });
    await expect(open({ port })).rejects.toMatchObject({ code: 'EADDRINUSE' });
    await expect(open({ port, shared: true })).rejects.toMatchObject({ code: 'EADDRINUSE' });
    await expect(open({ address: '192.0.2.77', port })).rejects.toMatchObject({ code: 'EADDRNOTAVAIL' });
    const { port: other } = testSession();
    await open({ port: other, shared: true });
    await expect(open({ port: other, shared: true })).resolves.toBeDefined();
  });

  test('says what buffers it got: never more than what was asked for', async () => {
    const socket = await open({ bufferBytes: 60_000 });
    expect(socket.receiveBufferBytes).toBe(60_000);
    expect(socket.sendBufferBytes).toBe(60_000);
    const greedy = await open({ bufferBytes: 1 << 30 });
    expect(greedy.receiveBufferBytes).toBeLessThanOrEqual(1 << 30);
    expect(greedy.sendBufferBytes).toBeLessThan(1 << 30);
  });

  test('a handler that closes the socket is not called again', async () => {
    const { port } = testSession();
    let count = 0;
    let ended = (): void => undefined;
    const closed = new Promise<void>((resolve) => (ended = resolve));
    const socket = await open({ port }, () => {
      if (++count === 5) void socket.close().then(ended);
    });
    const out = await open({});
    const batch = out.batch(60, 100);
    await sent((done) => batch.send(60, '127.0.0.1', port, done));
    await closed;
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(count).toBe(5);
    await socket.close();
  });

  test('what is asked of a closed socket gets an error', async () => {
    const socket = await open({});
    const batch = socket.batch(2, 10);
    await socket.close();
    expect(await told((done) => socket.send(Buffer.alloc(1), '127.0.0.1', 9, done))).toBe('EBADF');
    expect(await told((done) => batch.send(2, '127.0.0.1', 9, done))).toBe('EBADF');
    expect(() => socket.addMembership('239.1.2.3', '127.0.0.1')).toThrow();
    expect(() => socket.setBroadcast()).toThrow();
  });

  test('10,000 sockets, one after the other, leave neither descriptors nor memory behind', async () => {
    const descriptors = (): number => readdirSync('/proc/self/fd').length;
    const round = async (count: number): Promise<void> => {
      for (let i = 0; i < count; i++) {
        const socket = await open({}, () => undefined);
        if (i % 10 === 0) socket.batch(60, 1048).datagrams[59]!.fill(1);
        await socket.close();
      }
    };
    await round(500);
    const before = { descriptors: descriptors(), rss: process.memoryUsage.rss() };
    await round(9_500);
    expect(descriptors()).toBe(before.descriptors);
    expect(process.memoryUsage.rss() - before.rss).toBeLessThan(60 << 20);
  });
});

describe.skipIf(whyNotNative !== null)('losses', () => {
  test('are counted when the receive buffer is small', async () => {
    const { socket, port, got, arrived } = await inbox(native, { bufferBytes: 20_000 });
    const out = await native({});
    for (let i = 0; i < 300; i++) await sent((done) => out.send(Buffer.alloc(1000), '127.0.0.1', port, done));
    await arrived(5);
    await new Promise((resolve) => setTimeout(resolve, 50));
    const received = got.length;
    expect(received).toBeLessThan(300);
    await sent((done) => out.send(Buffer.alloc(1), '127.0.0.1', port, done));
    await arrived(received + 1);
    expect(socket.lost).toBe(300 - received);
  });
});
