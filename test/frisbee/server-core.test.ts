import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import fc from 'fast-check';
import { ipToNumber } from '../../src/util/ipv4.js';
import { BlockMap } from '../../src/frisbee/block-map.js';
import { geometryOf } from '../../src/frisbee/geometry.js';
import { ServerCore } from '../../src/frisbee/server-core.js';
import type { ServerEvent } from '../../src/frisbee/server-events.js';
import type { Message } from '../../src/frisbee/message.js';
import { decode, encode } from '../../src/frisbee/wire.js';
import { WorkQueue } from '../../src/frisbee/work-queue.js';
import { udpDatagrams } from '../helpers/pcap.js';

const PORT = 5005;
const CLIENT = '10.9.0.2';

function newCore(sizeBytes = 3 << 20): {
  core: ServerCore;
  events: ServerEvent[];
  say: (message: Message, from?: string, now?: number) => Buffer | undefined;
} {
  const geometry = geometryOf(sizeBytes);
  if (!geometry) throw new Error('no geometry');
  const events: ServerEvent[] = [];
  const core = new ServerCore({
    geometry,
    srcIp: ipToNumber('10.9.0.1'),
    port: PORT,
    rateBps: Infinity,
    loopback: false,
    clientSilentMs: 10_000,
    now: 0,
    emit: (event) => events.push(event),
  });
  const say = (message: Message, from = CLIENT, now = 1): Buffer | undefined =>
    core.onDatagram(encode({ srcIp: ipToNumber(from), message }), { address: from, port: PORT }, now)?.bytes;
  return { core, events, say };
}

function takeAll(core: ServerCore): string[] {
  const runs: string[] = [];
  for (let work = core.take(1024, 5); work; work = core.take(1024, 5)) runs.push(`${work.chunk}:${work.first}+${work.count}`);
  return runs;
}

describe('server', () => {
  test.each(['session-3chunk', 'session-1chunk-loss1pct', 'session-N-join2'])(
    '%s: its replies and blocks are those of the 2015 server',
    (name) => {
      const size = { 'session-3chunk': 3 << 20, 'session-1chunk-loss1pct': 1 << 20, 'session-N-join2': 70_001 }[name] ?? 0;
      const { core } = newCore(size);
      const sent: string[] = [];
      let reply: Buffer | undefined;
      const expected: string[] = [];
      for (const { payload, source } of udpDatagrams(fileURLToPath(new URL(`../fixtures/frisbee/${name}.pcap.gz`, import.meta.url)))) {
        const message = decode(payload)?.message;
        if (source === '10.9.0.1' && message?.kind === 'block') expected.push(`${message.chunk}:${message.block}`);
        else if (source === '10.9.0.1') expect(reply && payload.equals(reply)).toBe(true);
        else reply = core.onDatagram(payload, { address: source, port: PORT }, 1)?.bytes;
        for (let work = core.take(1, 1); work; work = core.take(1, 1)) sent.push(`${work.chunk}:${work.first}`);
      }
      expect(sent.sort()).toEqual(expected.sort());
    },
  );

  test('does not answer version 1 joins for what is no image', () => {
    const { say, events } = newCore(70_001);
    expect(say({ kind: 'join', version: 1, clientId: 7 })).toBeUndefined();
    expect(events).toEqual([{ type: 'join-refused', address: CLIENT }]);
    const reply = say({ kind: 'join', version: 2, clientId: 7, blocks: -5, chunkBlocks: 1024, blockBytes: 1024, sizeBytes: 99n });
    expect(reply && decode(reply)?.message).toEqual({
      kind: 'joined',
      version: 2,
      clientId: 7,
      blocks: 0,
      chunkBlocks: 1024,
      blockBytes: 1024,
      sizeBytes: 70_001n,
    });
  });

  test('answers nobody whose datagram comes from elsewhere than it says', () => {
    const { core } = newCore();
    const join = encode({ srcIp: ipToNumber(CLIENT), message: { kind: 'join', version: 1, clientId: 7 } });
    expect(core.onDatagram(join, { address: '10.9.0.3', port: PORT }, 1)).toBeNull();
    expect(core.onDatagram(join, { address: CLIENT, port: PORT + 1 }, 1)).toBeNull();
    expect(core.onDatagram(join, { address: CLIENT, port: PORT }, 1)?.address).toBe(CLIENT);
  });

  test('keeps one client per address, whatever ids it uses, and believes only its own leave', () => {
    const { core, say, events } = newCore();
    for (const clientId of [1, 1, 2]) say({ kind: 'join', version: 1, clientId });
    say({ kind: 'join', version: 1, clientId: 2 }, '10.9.0.3');
    say({ kind: 'leave', clientId: 1, elapsedSeconds: 3 });
    expect(core.clients.size).toBe(2);
    say({ kind: 'leave', clientId: 2, elapsedSeconds: 3 });
    expect(core.clients.size).toBe(1);
    expect(
      events.map((event) =>
        `${event.type} ${'activeClients' in event ? event.activeClients : ''} ${'reason' in event ? event.reason : ''}`.trim(),
      ),
    ).toEqual(['join 1', 'join 1', 'leave 0 replaced', 'join 1', 'join 2', 'leave 1 left']);
  });

  test('forgets who was silent for long, and never keeps more than it can', () => {
    const { core, say, events } = newCore();
    for (let i = 0; i < 5000; i++)
      say({ kind: 'join', version: 1, clientId: i + 1 }, `10.${1 + (i >> 14)}.${(i >> 7) & 127}.${1 + (i & 127)}`, 100);
    expect(core.clients.size).toBe(4096);
    core.tick(11_000);
    expect(core.clients.size).toBe(0);
    expect(events.at(-1)).toMatchObject({ type: 'leave', reason: 'silent', activeClients: 0 });
  });

  test('a flood of forged joins drives out nobody who takes part; progress goes on', () => {
    const { core, say, events } = newCore(64 << 20);
    say({ kind: 'join', version: 1, clientId: 7 }, CLIENT, 1);
    say({ kind: 'request', chunk: 0, first: 0, count: 1024 }, CLIENT, 1);
    for (let i = 0; i < 9000; i++)
      say({ kind: 'join', version: 1, clientId: i + 1 }, `10.${1 + (i >> 14)}.${(i >> 7) & 127}.${1 + (i & 127)}`, 2 + i / 1000);
    expect(core.clients.size).toBe(4096);
    expect(core.clients.get(CLIENT)).toMatchObject({ clientId: 7, askedBlocks: 1024 });
    expect(events.some((event) => event.type === 'leave' && event.address === CLIENT)).toBe(false);
    // those that ask for something too go by when they were last heard of
    for (let i = 0; i < 4200; i++) {
      const from = `11.1.${i >> 7}.${1 + (i & 127)}`;
      say({ kind: 'join', version: 1, clientId: 5 }, from, 20);
      say({ kind: 'request', chunk: 1, first: 0, count: 9 }, from, 20);
      if (i % 1000 === 0) say({ kind: 'request', chunk: 2, first: 0, count: 9 }, CLIENT, 20);
    }
    expect(core.clients.size).toBe(4096);
    expect(core.clients.get(CLIENT)).toBeDefined();
    expect(core.clients.get('11.1.0.1')).toBeUndefined();
  });

  test('for an image of a terabyte it keeps fewer clients, so that their maps stay small', () => {
    const { core, say } = newCore(2 ** 40);
    for (let i = 0; i < 1000; i++) {
      const from = `10.1.${i >> 7}.${1 + (i & 127)}`;
      say({ kind: 'join', version: 1, clientId: 5 }, from);
      say({ kind: 'request', chunk: i, first: 0, count: 1 }, from);
    }
    expect(core.clients.size).toBe(512);
  });

  test('one client that asks for the same chunk for ever: others get every second chunk’s worth, and the rate does not fall', () => {
    const chunks = 200;
    const { core, say } = newCore(chunks << 20);
    const hostile = '10.9.0.66';
    say({ kind: 'join', version: 1, clientId: 7 }, CLIENT, 0);
    say({ kind: 'join', version: 1, clientId: 9 }, hostile, 0);
    const [sent, order] = [new Map<number, number>(), [] as number[]];
    let now = 1;
    let rate = 0;
    for (let next = 1; next < chunks; now++) {
      say({ kind: 'prequest', chunk: 0, retries: 1, map: BlockMap.ofRun(0, 1000) }, hostile, now);
      if ((order.at(-1) ?? next) !== 0 || next === 1) say({ kind: 'request', chunk: next, first: 0, count: 1024 }, CLIENT, now);
      const work = core.take(1024, now);
      if (!work) break;
      sent.set(work.chunk, (sent.get(work.chunk) ?? 0) + work.count);
      order.push(work.chunk);
      if (work.chunk === next) next++;
      core.rate.sent(work.count, 1);
      core.tick(now);
      if (now === 40) rate = core.rate.rateBps;
    }
    for (let chunk = 1; chunk < chunks; chunk++) expect(sent.get(chunk)).toBe(1024);
    expect(sent.get(0)).toBeLessThanOrEqual(2 * 1024 + 1024 * chunks);
    expect(core.rate.rateBps).toBeGreaterThanOrEqual(rate / 2);
  });

  test('requests of many clients for the same blocks go out once', () => {
    const { core, say } = newCore(4 << 20);
    for (let i = 1; i < 200; i++) for (const chunk of [0, 3]) say({ kind: 'request', chunk, first: 0, count: 1024 }, `10.1.1.${i}`);
    for (let i = 1; i < 200; i++) say({ kind: 'prequest', chunk: 2, retries: 0, map: BlockMap.ofRun(i, 10) }, `10.1.1.${i}`);
    expect(core.take(2000, 1)).toEqual({ chunk: 2, first: 1, count: 208 });
    for (let i = 1; i < 200; i++) say({ kind: 'request', chunk: 0, first: 0, count: 1024 }, `10.1.1.${i}`);
    expect(takeAll(core)).toEqual(['0:0+1024', '3:0+1024']);
    expect(core.stats).toMatchObject({ sentBlocks: 2 * 1024 + 208, repeatedBlocks: 0, maxQueueEntries: 3 });
  });

  test('a report of later releases keeps server and client awake when it is the client’s own, and tells nothing otherwise', () => {
    const { core, say } = newCore();
    say({ kind: 'join', version: 1, clientId: 7 }, CLIENT, 0);
    const report = {
      kind: 'progress',
      clientId: 7,
      who: 0,
      when: 1_700_000_000,
      what: 1,
      seq: 1,
      summary: { chunksReceived: 1, chunksWritten: 1, bytesWritten: 5n },
    } as const;
    say({ ...report, clientId: 8 }, CLIENT, 4000);
    say(report, '10.9.0.5', 4000);
    say({ ...report, when: 0 }, CLIENT, 4000);
    expect(core.idleMs(5000)).toBe(5000);
    expect(say(report, CLIENT, 4000)).toBeUndefined();
    expect(core.idleMs(5000)).toBe(1000);
    core.tick(12_000);
    expect(core.clients.size).toBe(1);
  });

  test('serves who never joined; ranges beyond the file are not served', () => {
    const { core, say } = newCore(70_001);
    say({ kind: 'request', chunk: 0, first: 60, count: 900 });
    say({ kind: 'request', chunk: 1, first: 0, count: 1024 });
    say({ kind: 'prequest', chunk: 0, retries: 0, map: BlockMap.ofRun(69, 900) });
    expect(takeAll(core)).toEqual(['0:60+9']);
  });

  test('progress is told at most four times a second, the last state within a moment', () => {
    const { core, say, events } = newCore(100 << 20);
    say({ kind: 'join', version: 1, clientId: 7 }, CLIENT, 0);
    for (let chunk = 0; chunk < 100; chunk++) say({ kind: 'request', chunk, first: 0, count: 1024 }, CLIENT, 10 * chunk);
    for (let now = 1000; now < 2000; now += 100) core.tick(now);
    const progress = events.filter((event) => event.type === 'progress');
    expect(progress.length).toBeLessThanOrEqual(6);
    expect(progress.at(-1)).toMatchObject({ address: CLIENT, clientId: 7, askedBlocks: 102_400, totalBlocks: 102_400 });
  });

  test('is idle when nobody asks, deserted when the last client left', () => {
    const { core, say } = newCore();
    expect(core.desertedMs(9000)).toBe(0);
    say({ kind: 'join', version: 1, clientId: 7 }, CLIENT, 1000);
    expect(core.idleMs(5000)).toBe(5000);
    say({ kind: 'request', chunk: 0, first: 0, count: 1 }, CLIENT, 5000);
    expect(core.idleMs(9000)).toBe(0);
    takeAll(core);
    expect(core.idleMs(9000)).toBe(4000);
    say({ kind: 'leave', clientId: 7, elapsedSeconds: 1 }, CLIENT, 9000);
    expect(core.desertedMs(11_500)).toBe(2500);
  });

  test('repeats of what is still queued are no loss; what had been sent is', () => {
    const { core, say } = newCore(64 << 20);
    say({ kind: 'join', version: 1, clientId: 7 }, CLIENT, 0);
    const retry = (chunk: number, now: number): void =>
      void say({ kind: 'prequest', chunk, retries: 1, map: BlockMap.ofRun(0, 1000) }, CLIENT, now);
    for (let chunk = 0; chunk < 8; chunk++) say({ kind: 'request', chunk, first: 0, count: 1024 }, CLIENT, 1);
    for (let chunk = 0; chunk < 8; chunk++) retry(chunk, 1500);
    core.rate.sent(4000, 90);
    expect(core.rate.tick(1600)).not.toBe('backed-off');
    takeAll(core);
    for (let chunk = 0; chunk < 8; chunk++) retry(chunk, 1700);
    core.rate.sent(8000, 90);
    expect(core.rate.tick(1800)).toBe('backed-off');
  });
});

test('what went by before somebody came is no loss, even when another asked for part of it since', () => {
  const { core, say } = newCore(64 << 20);
  const ask = (map: BlockMap, from: string, now: number): void => void say({ kind: 'prequest', chunk: 0, retries: 0, map }, from, now);
  const change = (now: number): unknown => {
    core.rate.sent(4000, 90);
    return core.rate.tick(now);
  };
  say({ kind: 'join', version: 1, clientId: 1 }, CLIENT, 1);
  say({ kind: 'request', chunk: 0, first: 0, count: 1024 }, CLIENT, 2);
  core.take(1000, 10);
  say({ kind: 'join', version: 1, clientId: 2 }, '10.9.0.3', 20); // both join when most of the chunk has gone out
  say({ kind: 'join', version: 1, clientId: 3 }, '10.9.0.4', 20);
  core.take(24, 30);
  ask(BlockMap.ofRun(0, 100), '10.9.0.3', 40);
  core.take(100, 50);
  ask(BlockMap.ofRun(0, 1000), '10.9.0.4', 60);
  core.take(1000, 70);
  expect(change(160)).not.toBe('backed-off');
  ask(BlockMap.ofRun(100, 900), '10.9.0.4', 170); // these went out at 70
  expect(change(260)).toBe('backed-off');
});

describe('work queue', () => {
  const map = (...blocks: number[]): BlockMap => {
    const result = new BlockMap();
    for (const block of blocks) result.add(block);
    return result;
  };

  test('a whole request for the chunk being sent whole is dropped, a late one is not', () => {
    const queue = new WorkQueue();
    queue.add(1, BlockMap.ofRun(0, 1024), 1024);
    expect(queue.take(100)).toEqual({ chunk: 1, first: 0, count: 100 });
    expect(queue.add(1, BlockMap.ofRun(0, 1024), 1024)).toEqual({ newBlocks: 0, merged: true });
    expect(queue.take(2000)).toEqual({ chunk: 1, first: 100, count: 924 });
    expect(queue.isEmpty).toBe(true);
    expect(queue.add(1, BlockMap.ofRun(0, 1024), 1024)).toEqual({ newBlocks: 1024, merged: false });
  });

  test('the entry being sent takes in what lies ahead; the rest waits behind it', () => {
    const queue = new WorkQueue();
    queue.add(1, map(10, 500), 1024);
    expect(queue.take(32)).toEqual({ chunk: 1, first: 10, count: 1 });
    expect(queue.add(1, map(3, 10, 600, 500), 1024)).toEqual({ newBlocks: 3, merged: true });
    const order: string[] = [];
    for (let work = queue.take(32); work; work = queue.take(32)) order.push(`${work.first}+${work.count}`);
    expect(order).toEqual(['500+1', '600+1', '3+1', '10+1']);
  });

  test('repairs go before whole chunks, otherwise first come first served', () => {
    const queue = new WorkQueue();
    queue.add(1, BlockMap.ofRun(0, 1024), 1024);
    queue.add(2, BlockMap.ofRun(0, 1024), 1024);
    queue.add(3, map(7), 1024);
    queue.add(4, map(8), 1024);
    queue.add(2, map(9), 1024);
    const order: number[] = [];
    for (let work = queue.take(1024); work; work = queue.take(1024)) order.push(work.chunk);
    expect(order).toEqual([3, 4, 1, 2]);
  });

  test('repairs without end let a whole chunk go after every chunk’s worth of them', () => {
    const queue = new WorkQueue();
    const order: number[] = [];
    for (const chunk of [1, 2, 3]) queue.add(chunk, BlockMap.ofRun(0, 1024), 1024);
    for (let i = 0; i < 12 && !queue.isEmpty; i++) {
      queue.add(9, BlockMap.ofRun(0, 512), 1024);
      order.push(queue.take(1024)?.chunk ?? -1);
    }
    expect(order).toEqual([9, 9, 1, 9, 9, 2, 9, 9, 3, 9]);
  });

  test('chunks that went out before wait for those that did not', () => {
    const queue = new WorkQueue();
    queue.add(1, BlockMap.ofRun(0, 1024), 1024, true);
    queue.add(2, BlockMap.ofRun(0, 1024), 1024);
    queue.add(1, BlockMap.ofRun(0, 1024), 1024, true);
    queue.add(3, BlockMap.ofRun(0, 1024), 1024);
    queue.add(4, map(5), 1024, true);
    expect(queue.size).toBe(4);
    const order: number[] = [];
    for (let work = queue.take(1024); work; work = queue.take(1024)) order.push(work.chunk);
    expect(order).toEqual([4, 2, 3, 1]);
  });

  test('whatever is asked in whatever order: every block asked for goes out, nothing else, and nothing twice for one request', () => {
    const request = fc.record({
      chunk: fc.integer({ min: 0, max: 3 }),
      first: fc.integer({ min: 0, max: 1023 }),
      count: fc.integer({ min: 1, max: 1024 }),
    });
    const step = fc.oneof(request, fc.integer({ min: 1, max: 400 }));
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const queue = new WorkQueue();
        const owed = new Set<number>();
        let promised = 0;
        let sent = 0;
        const take = (limit: number): boolean => {
          const work = queue.take(limit);
          for (let i = 0; work && i < work.count; i++) owed.delete(work.chunk * 1024 + work.first + i);
          sent += work?.count ?? 0;
          return work !== null;
        };
        for (const now of steps) {
          if (typeof now === 'number') take(now);
          else {
            const count = Math.min(now.count, 1024 - now.first);
            const { newBlocks } = queue.add(now.chunk, BlockMap.ofRun(now.first, count), 1024);
            promised += newBlocks;
            if (count < 1024) for (let i = 0; i < count; i++) owed.add(now.chunk * 1024 + now.first + i);
          }
          expect(queue.size).toBeLessThanOrEqual(5);
        }
        while (take(100));
        expect(owed.size).toBe(0);
        expect(sent).toBe(promised);
      }),
      { numRuns: 300 },
    );
  });
});

test('block maps do what sets do', () => {
  const blocks = fc.uniqueArray(fc.integer({ min: 0, max: 1023 }), { maxLength: 200 });
  const run = fc
    .tuple(fc.integer({ min: 0, max: 1024 }), fc.integer({ min: 0, max: 1024 }))
    .map(([first, count]) => ({ first, count: Math.min(count, 1024 - first) }));
  const list = (set: BlockMap): number[] => Array.from({ length: 1024 }, (_, i) => i).filter((block) => set.has(block));
  fc.assert(
    fc.property(blocks, run, (some, { first, count }) => {
      const a = new BlockMap();
      for (const block of some) expect(a.add(block)).toBe(true);
      const b = BlockMap.ofRun(first, count);
      const inRun = (block: number): boolean => block >= first && block < first + count;
      expect([a.count, b.count]).toEqual([some.length, count]);
      expect(a.meets(b)).toBe(some.some(inRun));
      const union = a.copy();
      expect(union.addAll(b)).toBe(count - some.filter(inRun).length);
      const rest = a.copy();
      rest.removeAll(b);
      expect(list(rest)).toEqual(some.filter((block) => !inRun(block)).sort((x, y) => x - y));
      const rest2 = a.copy();
      rest2.removeRun(first, count);
      expect([list(rest2), rest2.count]).toEqual([list(rest), rest.count]);
      expect(b.nextRun(0, 1024)).toEqual(count > 0 ? { first, count } : null);
    }),
    { numRuns: 300 },
  );
});
