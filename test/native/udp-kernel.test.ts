import { execFile, execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { once } from 'node:events';
import { promisify } from 'node:util';
import { Worker } from 'node:worker_threads';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { arenas } from '../../src/native/arena.js';
import { capability } from '../../src/native/capability.js';
import { type Library, loadLibrary, type NativeCall } from '../../src/native/library.js';
import { NodeUdpSocket } from '../../src/native/node-udp-socket.js';
import { ReceiveRing, RING_BYTES } from '../../src/native/receive-ring.js';
import { SegmentedBatch } from '../../src/native/segmented-batch.js';
import { openUdpBatches, udpBatches } from '../../src/native/udp-batches.js';
import { CMSG, IOVEC_BYTES, MMSGHDR, MMSGHDR_BYTES, SOL_UDP, UDP_GRO, UDP_SEGMENT } from '../../src/native/udp-layout.js';
import { testSession } from '../helpers/frisbee.js';
import { bundle } from './bundle.js';

const EAGAIN = 11;
const whyOff = await udpBatches.whyOff();

describe.skipIf(whyOff !== null)(`what a kernel may do${whyOff ? ` (skipped: ${whyOff})` : ''}`, () => {
  let library: Library;
  beforeAll(async () => void (library = await loadLibrary()));

  /** A kernel that takes datagrams down: what each call says, in turn; when it runs out, it takes everything. */
  function kernel(segmented: (number | 'taken')[], single: (number | 'full')[]) {
    const out: number[] = [];
    let errno = 0;
    const memory = (address: bigint, size: number): DataView => new DataView(library.view(address, size));
    /** The first word of each datagram that a struct msghdr points to, cut as UDP_SEGMENT says. */
    const taken = (header: number | bigint | string | null, cut: boolean): number[] => {
      const view = memory(BigInt(header!), MMSGHDR_BYTES);
      const iovec = memory(view.getBigUint64(MMSGHDR.iovec, true), IOVEC_BYTES);
      const bytes = Number(iovec.getBigUint64(8, true));
      const data = memory(iovec.getBigUint64(0, true), bytes);
      const size = cut ? memory(view.getBigUint64(MMSGHDR.control, true), 24).getUint16(16, true) : bytes;
      return Array.from({ length: bytes / size }, (_, i) => data.getUint32(i * size, true));
    };
    const sendmsg: NativeCall = (_fd, header) => {
      const answer = segmented.shift() ?? 'taken';
      if (answer === 'taken') return out.push(...taken(header!, true));
      errno = answer;
      return -1;
    };
    const sendmmsg: NativeCall = (_fd, headers, count) => {
      const answer = single.shift() ?? Number(count);
      if (answer === 'full') return ((errno = EAGAIN), -1);
      for (let i = 0; i < answer; i++) out.push(...taken(BigInt(headers!) + BigInt(i * MMSGHDR_BYTES), false));
      return answer;
    };
    const batch = new SegmentedBatch({ sendmsg, sendmmsg, errno: () => errno, arena: arenas(library) }, 3, 10, 100);
    batch.datagrams.forEach((datagram, i) => datagram.writeUInt32LE(i, 0));
    onTestFinished(() => batch.release());
    return { out, batch, send: () => batch.send(10, 0x7f000001, 7001) };
  }
  const all = Array.from({ length: 10 }, (_, i) => i);

  test('it cuts: one call', () => {
    const { out, send } = kernel([], []);
    expect(send()).toBe(0);
    expect(out).toEqual(all);
  });

  test.each([5, 22, 95, 92, 90])('it refuses to cut (errno %i): each datagram is sent once, now and from then on', (errno) => {
    const { out, send, batch } = kernel([errno], []);
    expect(send()).toBe(0);
    expect(out).toEqual(all);
    expect(batch.refusedWith).toBe(errno);
    expect(send()).toBe(0);
    expect(out).toEqual([...all, ...all]);
  });

  test('it is full before it cuts: all of it is sent again', () => {
    const { out, send, batch } = kernel([EAGAIN, 'taken'], []);
    expect(send()).toBe(EAGAIN);
    expect(send()).toBe(0);
    expect(out).toEqual(all);
    expect(batch.refusedWith).toBe(0);
  });

  test('it is full in the middle of single datagrams: each is sent once, over two batches', () => {
    const { out, send } = kernel([22], [3, 'full', 'full', 1, 0, 6, 9, 'full']);
    expect(send()).toBe(EAGAIN);
    expect(out).toEqual([0, 1, 2]);
    expect(send()).toBe(EAGAIN);
    expect(send()).toBe(EAGAIN);
    expect(out).toEqual([0, 1, 2, 3]);
    expect(send()).toBe(0);
    expect(out).toEqual(all);
    expect(send()).toBe(EAGAIN);
    expect(send()).toBe(0);
    expect(out).toEqual([...all, ...all]);
  });

  test.each([
    [100, 7, 700],
    [64, 7, 448],
    [65, 1000, 64_001],
    [1, 500, 500],
  ])('it puts %i datagrams of up to %i bytes together, whatever the most of ours are', (count, segmentBytes, sizeBytes) => {
    const arena = arenas(library)(RING_BYTES);
    onTestFinished(() => arena.release());
    const ring = new ReceiveRing(arena);
    const { view, address, bytes } = arena;
    const at = (pointer: number): number => Number(view.getBigUint64(pointer, true) - address);
    const data = at(at(MMSGHDR.iovec));
    const control = at(MMSGHDR.control);
    for (let i = 0; i < sizeBytes; i++) bytes[data + i] = i % 251;
    view.setUint32(MMSGHDR.length, sizeBytes, true);
    view.setUint32(MMSGHDR.controlBytes, 20, true);
    view.setUint32(control + CMSG.bytes, 20, true);
    view.setInt32(control + CMSG.level, SOL_UDP, true);
    view.setInt32(control + CMSG.type, UDP_GRO, true);
    view.setInt32(control + CMSG.data, segmentBytes, true);
    const got: Buffer[] = [];
    ring.take(0, 0, 0, (datagram) => got.push(Buffer.from(datagram)));
    expect(got).toHaveLength(count);
    expect(got.slice(0, -1).every(({ length }) => length === segmentBytes)).toBe(true);
    expect(Buffer.concat(got).equals(bytes.subarray(data, data + sizeBytes))).toBe(true);
  });

  test('it does not know UDP_SEGMENT: the capability is off, and says why', async () => {
    const old: Library = {
      ...library,
      func: (prototype) => {
        const call = library.func(prototype);
        return prototype.includes(' setsockopt(') ? (...args) => (args[2] === UDP_SEGMENT ? -1 : call(...args)) : call;
      },
    };
    const before = readdirSync('/proc/self/fd').length;
    const batches = capability({ name: 'udp-batches', does: '', without: '' }, () => openUdpBatches(old));
    expect(await batches.get()).toBeNull();
    expect(await batches.whyOff()).toBe('this kernel does not cut datagrams (UDP_SEGMENT, Linux 4.18)');
    expect(readdirSync('/proc/self/fd')).toHaveLength(before);
  });
});

const whyNoNamespace = ((): string | null => {
  if (process.getuid?.() !== 0) return 'needs root';
  try {
    execFileSync(
      'unshare',
      ['-n', 'sh', '-c', 'ip link set lo mtu 600 up && tc qdisc add dev lo root tbf rate 10mbit burst 20kb limit 1mb'],
      { stdio: 'pipe' },
    );
    return null;
  } catch {
    return 'needs unshare, ip and tc (iproute2), and a kernel with sch_tbf';
  }
})();

describe.skipIf(whyOff !== null || whyNoNamespace !== null)(`interfaces${whyNoNamespace ? ` (skipped: ${whyNoNamespace})` : ''}`, () => {
  const run = async (setUp: string, ...numbers: number[]): Promise<unknown> => {
    const command = `${setUp} && exec "$@"`;
    const { stdout } = await promisify(execFile)('unshare', [
      '-n',
      'sh',
      '-c',
      command,
      'sh',
      process.execPath,
      await bundle('udp-program.ts'),
      ...numbers.map(String),
    ]);
    return JSON.parse(stdout) as unknown;
  };

  test('one with an MTU of less than a datagram refuses to cut: all arrive all the same, in order', async () => {
    const told = await run('ip link set lo mtu 600 up', 20, 50, 1048, 1 << 20);
    expect(told).toMatchObject({ sent: 20 * 51, received: 20 * 51, inOrder: true, lost: 0 });
  });

  test.each([
    ['cut', ''],
    ['one by one', ' mtu 600'],
  ])('a slow one fills the send buffer: it is waited for, and nothing overtakes (%s)', async (_, mtu) => {
    const told = await run(
      `ip link set lo${mtu} up && tc qdisc add dev lo root tbf rate 40mbit burst 100kb limit 20mb`,
      20,
      40,
      1048,
      60_000,
    );
    expect(told).toMatchObject({ sent: 20 * 41, received: 20 * 41, inOrder: true });
    expect(told).toHaveProperty(
      'waited',
      expect.toSatisfy((count: number) => count > 0),
    );
  });
});

describe.skipIf(whyOff !== null)('threads', () => {
  /** A thread that sends back what comes to a port; `next` is what it tells next. */
  const start = async (program: string, port: number): Promise<{ worker: Worker; next: () => Promise<string> }> => {
    const worker = new Worker(program, { workerData: port });
    onTestFinished(async () => void (await worker.terminate()));
    const next = async (): Promise<string> => String((await once(worker, 'message'))[0]);
    expect(await next()).toBe('ready');
    return { worker, next };
  };
  const sender = async (): Promise<{ got: string[]; send: (text: string, port: number) => void }> => {
    const got: string[] = [];
    const options = { address: '127.0.0.1', port: 0, shared: false, bufferBytes: 1 << 20, headBytes: 0, clock: Date.now };
    const batches = await udpBatches.get();
    const socket = batches!.open(
      options,
      (bytes) => got.push(bytes.toString('latin1')),
      (error) => expect.unreachable(error.message),
    );
    onTestFinished(() => socket.close());
    return { got, send: (text, port) => socket.send(Buffer.from(text), '127.0.0.1', port) };
  };

  test('several at once, each with calls and memory of its own', async () => {
    const program = await bundle('udp-worker.ts');
    const { got, send } = await sender();
    const ports = [1, 2, 3, 4].map(() => testSession().port);
    const threads = await Promise.all(ports.map((port) => start(program, port)));
    const told = Promise.all(threads.map(({ next }) => next()));
    for (const port of ports) send(`to ${port}`, port);
    const texts = ports.map((port) => `to ${port}`);
    expect(await told).toEqual(texts);
    await expect.poll(() => got.toSorted()).toEqual(texts);
  });

  test('one that is terminated while it receives leaves no descriptor, no port and little memory behind', async () => {
    const program = await bundle('udp-worker.ts');
    const { send } = await sender();
    const { port } = testSession();
    const round = async (): Promise<void> => {
      const { worker, next } = await start(program, port);
      let isFlooding = true;
      const flood = (): void => {
        for (let i = 0; i < 50; i++) send('flood', port);
        if (isFlooding) setImmediate(flood);
      };
      flood();
      expect(await next()).toBe('flood');
      await worker.terminate();
      isFlooding = false;
    };
    await round();
    const before = { descriptors: readdirSync('/proc/self/fd').length, rss: process.memoryUsage.rss() };
    for (let i = 0; i < 20; i++) await round();
    expect(readdirSync('/proc/self/fd').length).toBe(before.descriptors);
    expect(process.memoryUsage.rss() - before.rss).toBeLessThan(100 << 20);
    // nobody has the port: Node.js may bind it alone
    const free = await NodeUdpSocket.open(
      { address: '127.0.0.1', port, shared: false, bufferBytes: 4096, headBytes: 0, clock: Date.now },
      () => undefined,
      () => undefined,
    );
    await free.close();
  });
});
