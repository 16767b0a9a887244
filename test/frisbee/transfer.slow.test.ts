import { createSocket } from 'node:dgram';
import { readdirSync, readlinkSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { receiveImage, createClientHub } from '../../src/frisbee/receive.js';
import type { ClientEvent } from '../../src/frisbee/receive-options.js';
import { CHUNK_BYTES } from '../../src/ndz/codec/format.js';
import { ServerSession } from '../../src/frisbee/server-session.js';
import { startServer } from '../../src/frisbee/server.js';
import { MemoryOutput, randomFile, serve, temporaryFolder, testSession } from '../helpers/frisbee.js';

const address = (n: number): string => `127.0.3.${n}`;

describe('one client', () => {
  test('receives an image, joins and leaves', async () => {
    const { path, content } = randomFile(6 * CHUNK_BYTES);
    const session = testSession();
    const { server, events } = await serve({ ...session, imagePath: path });
    const seen: ClientEvent[] = [];
    const sink = new MemoryOutput();
    const left = new Promise<void>((resolve) => {
      const timer = setInterval(() => events.some(({ type }) => type === 'leave') && (clearInterval(timer), resolve()), 5);
    });
    const result = await receiveImage({ ...session, localIp: address(1), loopback: true, sink, onEvent: (event) => seen.push(event) });
    await left;
    expect(sink.content.equals(content)).toBe(true);
    expect(sink.finished).toBe(true);
    expect(result).toMatchObject({ chunks: 6, sizeBytes: content.length, actualBytes: content.length });
    expect(seen.map(({ type }) => type)).toEqual(['bound', 'joined', ...Array.from({ length: 6 }, () => 'chunk')]);
    const stats = await server.stop();
    expect(stats).toMatchObject({ joins: 1, leaves: 1 });
    expect(stats.sentBlocks).toBeGreaterThanOrEqual(6 * 1024);
    expect(events.filter(({ type }) => type === 'join' || type === 'leave')).toMatchObject([
      { type: 'join', address: address(1), clientId: result.clientId, version: 1, again: false, activeClients: 1 },
      { type: 'leave', address: address(1), clientId: result.clientId, reason: 'left', activeClients: 0, stats: { joinAttempts: 1 } },
    ]);
    expect(events.find(({ type }) => type === 'progress')).toMatchObject({ totalBlocks: 6 * 1024 });
  });

  test('takes a file that is no image, whose last chunk and block are short, byte for byte', async () => {
    const { path, content } = randomFile(CHUNK_BYTES + 70_001);
    const session = testSession();
    await serve({ ...session, imagePath: path });
    const sink = new MemoryOutput();
    await receiveImage({ ...session, localIp: address(1), loopback: true, sink, raw: true });
    expect(sink.content.equals(content)).toBe(true);
  });

  test('is not answered when it asks for such a file as an image; its signal ends the wait', async () => {
    const { path } = randomFile(5_000);
    const session = testSession();
    const { events } = await serve({ ...session, imagePath: path });
    const sink = new MemoryOutput();
    const stop = new AbortController();
    const waiting = receiveImage({ ...session, localIp: address(1), loopback: true, sink, signal: stop.signal });
    const timer = setInterval(() => events.some(({ type }) => type === 'join-refused') && stop.abort(new Error('enough')), 5);
    await expect(waiting).rejects.toThrow('enough');
    clearInterval(timer);
    expect(sink.aborted).toBe(true);
  });

  test('recovers what 5 % loss took away, without asking for everything again', async () => {
    const { path, content } = randomFile(8 * CHUNK_BYTES);
    const session = testSession();
    const { server } = await serve({ ...session, imagePath: path });
    const sink = new MemoryOutput();
    await receiveImage({ ...session, localIp: address(1), loopback: true, sink, lossRate: 0.05, lossSeed: 7 });
    expect(sink.content.equals(content)).toBe(true);
    expect((await server.stop()).sentBlocks).toBeLessThan(8 * 1024 * 1.5);
  });

  test('gives up when the server dies, after the silence it was told', async () => {
    const { path } = randomFile(20 * CHUNK_BYTES);
    const session = testSession();
    const { server } = await serve({ ...session, imagePath: path, rateBps: 100_000_000 });
    const sink = new MemoryOutput();
    let stopped = false;
    const waiting = receiveImage({
      ...session,
      localIp: address(1),
      loopback: true,
      sink,
      serverTimeoutMs: 400,
      onEvent: (event) => {
        if (event.type !== 'chunk' || stopped) return;
        stopped = true;
        void server.stop();
      },
    });
    await expect(waiting).rejects.toMatchObject({ code: 'server-silent' });
    expect(sink.aborted).toBe(true);
    expect(sink.finished).toBe(false);
  });

  test('an output that fails ends the transfer with its error, and the server hears of it', async () => {
    const { path } = randomFile(4 * CHUNK_BYTES);
    const session = testSession();
    const { events } = await serve({ ...session, imagePath: path });
    const sink = new MemoryOutput();
    sink.write = () => Promise.reject(new Error('disk on fire'));
    await expect(receiveImage({ ...session, localIp: address(1), loopback: true, sink })).rejects.toThrow('disk on fire');
    expect(sink.aborted).toBe(true);
    await expect.poll(() => events.some(({ type }) => type === 'leave')).toBe(true);
  });

  test('a slow output holds the client back, not the memory: few buffers are enough', async () => {
    const { path, content } = randomFile(10 * CHUNK_BYTES);
    const session = testSession();
    await serve({ ...session, imagePath: path });
    const sink = new MemoryOutput();
    const write = sink.write.bind(sink);
    sink.write = async (...args) => {
      await new Promise((resolve) => setTimeout(resolve, 30));
      await write(...args);
    };
    const result = await receiveImage({ ...session, localIp: address(1), loopback: true, sink, profile: { maxBuffers: 2 } });
    expect(sink.content.equals(content)).toBe(true);
    expect(result.stats.chunkBuffers).toBe(2);
  });
});

describe('the port is the session', () => {
  test('a second server, or a client at the same address, is refused with address-in-use', async () => {
    const { path } = randomFile(CHUNK_BYTES);
    const session = testSession();
    await serve({ ...session, imagePath: path });
    await expect(serve({ ...session, imagePath: path })).rejects.toMatchObject({ code: 'address-in-use' });
    const sink = new MemoryOutput();
    await expect(receiveImage({ ...session, localIp: '127.0.0.1', loopback: true, sink })).rejects.toMatchObject({
      code: 'address-in-use',
    });
    expect(sink.aborted).toBe(true);
  });

  test('in real mode the port is taken for all addresses', async () => {
    const { port } = testSession();
    const other = createSocket('udp4');
    await new Promise<void>((resolve) => other.bind(port, '127.0.0.77', resolve));
    const { path } = randomFile(CHUNK_BYTES);
    await expect(serve({ group: '239.77.0.1', port, imagePath: path, loopback: false })).rejects.toMatchObject({ code: 'address-in-use' });
    other.close();
  });

  test('a foreign address is named in the refusal', async () => {
    const { path } = randomFile(CHUNK_BYTES);
    await expect(serve({ ...testSession(), imagePath: path, localIp: '192.0.2.55' })).rejects.toMatchObject({ code: 'bad-interface' });
  });

  test('a missing, empty or non-regular file is refused', async () => {
    const folder = temporaryFolder();
    await expect(serve({ ...testSession(), imagePath: join(folder, 'none') })).rejects.toMatchObject({ code: 'image-unreadable' });
    await expect(serve({ ...testSession(), imagePath: folder })).rejects.toMatchObject({ code: 'image-unservable' });
    const { path } = randomFile(0);
    await expect(serve({ ...testSession(), imagePath: path })).rejects.toMatchObject({ code: 'image-unservable' });
  });

  test('an image that shrinks under the server is reported, not padded', async () => {
    const { path } = randomFile(8 * CHUNK_BYTES);
    const session = testSession();
    const { events } = await serve({ ...session, imagePath: path });
    truncateSync(path, 1000);
    const stop = new AbortController();
    const waiting = receiveImage({ ...session, localIp: address(1), loopback: true, sink: new MemoryOutput(), signal: stop.signal });
    const failed = expect(waiting).rejects.toThrow('enough');
    await expect.poll(() => events.find(({ type }) => type === 'failed')).toMatchObject({ code: 'image-truncated' });
    stop.abort(new Error('enough'));
    await failed;
  });
});

describe('without multicast', () => {
  test('the group may be the one client’s own address', async () => {
    const { path, content } = randomFile(2 * CHUNK_BYTES);
    const { port } = testSession();
    await serve({ group: address(9), port, imagePath: path });
    const sink = new MemoryOutput();
    await receiveImage({ group: '127.0.0.1', port, localIp: address(9), loopback: true, sink });
    expect(sink.content.equals(content)).toBe(true);
  });
});

describe('many clients', () => {
  test('12 with sockets of their own, and far more asked than they drain: no collapse', async () => {
    const { path, content } = randomFile(20 * CHUNK_BYTES);
    const session = testSession();
    const { server } = await serve({ ...session, imagePath: path, rateBps: 1_000_000_000 });
    const sinks = Array.from({ length: 12 }, () => new MemoryOutput());
    await Promise.all(
      sinks.map((sink, i) => receiveImage({ ...session, localIp: address(i + 1), loopback: true, sink, profile: { jitterMs: 50 } })),
    );
    for (const sink of sinks) expect(sink.content.equals(content)).toBe(true);
    const { sentBlocks } = await server.stop();
    expect(sentBlocks / (20 * 1024)).toBeLessThan(2.5); // an unadapted server sends many times the image
  }, 60_000);

  test('a hub: 24 clients, one socket for what goes to the group; one aborts and the others finish', async () => {
    const { path, content } = randomFile(12 * CHUNK_BYTES);
    const session = testSession();
    const server = await startServer({ ...session, imagePath: path, localIp: '127.0.0.1', loopback: true, rateBps: 80_000_000 });
    const hub = createClientHub();
    const stop = new AbortController();
    const quitter = hub.receive({
      ...session,
      localIp: address(100),
      sink: new MemoryOutput(),
      signal: stop.signal,
      onEvent: ({ type }) => type === 'chunk' && stop.abort(new Error('pulled the plug')),
    });
    const sinks = Array.from({ length: 24 }, () => new MemoryOutput());
    const all = Promise.all(
      sinks.map((sink, i) => hub.receive({ ...session, localIp: address(i + 1), sink, ...(i === 3 ? { lossRate: 0.02 } : {}) })),
    );
    await expect(quitter).rejects.toThrow('pulled the plug');
    await all;
    for (const sink of sinks) expect(sink.content.equals(content)).toBe(true);
    expect((await server.stop()).sentBlocks / (12 * 1024)).toBeLessThan(2.5);
    await hub.close();
  }, 60_000);

  test('a hub opens a session anew after its last client left, and refuses an address that is in it already', async () => {
    const { path, content } = randomFile(2 * CHUNK_BYTES);
    const session = testSession();
    await serve({ ...session, imagePath: path, rateBps: 50_000_000 });
    const hub = createClientHub();
    for (const round of [1, 2]) {
      const sink = new MemoryOutput();
      const twin = new MemoryOutput();
      const running = hub.receive({ ...session, localIp: address(round), sink });
      await expect(hub.receive({ ...session, localIp: address(round), sink: twin })).rejects.toMatchObject({ code: 'address-in-use' });
      expect(twin.aborted).toBe(true);
      await running;
      expect(sink.content.equals(content)).toBe(true);
    }
    await hub.close();
  });

  test('closing a hub fails its clients', async () => {
    const hub = createClientHub();
    const sink = new MemoryOutput();
    const waiting = hub.receive({
      ...testSession(),
      localIp: address(1),
      sink,
      onEvent: ({ type }) => type === 'bound' && void Promise.resolve().then(() => hub.close()),
    });
    await expect(waiting).rejects.toMatchObject({ code: 'hub-closed' });
    expect(sink.aborted).toBe(true);
  });

  test('a late joiner costs the blocks it had missed, and not much more', async () => {
    const { path, content } = randomFile(16 * CHUNK_BYTES);
    const session = testSession();
    const { server } = await serve({ ...session, imagePath: path, rateBps: 200_000_000 });
    const first = new MemoryOutput();
    const late = new MemoryOutput();
    let passed = 0;
    const lateDone: Promise<unknown>[] = [];
    await receiveImage({
      ...session,
      localIp: address(1),
      loopback: true,
      sink: first,
      onEvent: (event) => {
        if (event.type !== 'chunk' || ++passed !== 8) return;
        lateDone.push(receiveImage({ ...session, localIp: address(2), loopback: true, sink: late }));
      },
    });
    await Promise.all(lateDone);
    expect(first.content.equals(content) && late.content.equals(content)).toBe(true);
    // the late one missed the first 8 chunks and what passed until its join was answered
    expect((await server.stop()).sentBlocks).toBeLessThan((16 + 8 + 6) * 1024);
  });
});

describe('the server in its own thread', () => {
  test('serves, reports and ends', async () => {
    const { path, content } = randomFile(3 * CHUNK_BYTES);
    const session = testSession();
    const types = new Set<string>();
    const options = { ...session, imagePath: path, localIp: '127.0.0.1', loopback: true, rateBps: 300_000_000 };
    const server = await startServer({ ...options, onEvent: ({ type }) => types.add(type) });
    await expect(startServer(options)).rejects.toMatchObject({ code: 'address-in-use' });
    const sink = new MemoryOutput();
    await receiveImage({ ...session, localIp: address(1), loopback: true, sink });
    expect(sink.content.equals(content)).toBe(true);
    await expect.poll(() => [...types].sort()).toEqual(expect.arrayContaining(['join', 'leave', 'progress']));
    expect((await server.stop()).sentBlocks).toBeGreaterThanOrEqual(3 * 1024);
    // the port is free again
    await (await ServerSession.start(options, () => undefined)).stop();
    expect((await server.stop()).joins).toBe(1);
  });

  test('nothing of a stopped server stays open', async () => {
    const { path } = randomFile(CHUNK_BYTES);
    const open = (): string[] =>
      readdirSync('/proc/self/fd')
        .map((fd) => {
          try {
            return readlinkSync(`/proc/self/fd/${fd}`);
          } catch {
            return 'gone';
          }
        })
        .filter((target) => target === path || target.startsWith('socket:'));
    const before = open();
    const { server } = await serve({ ...testSession(), imagePath: path });
    expect(open().length).toBe(before.length + 3);
    await server.stop();
    expect(open().sort()).toEqual(before.sort());
  });
});
