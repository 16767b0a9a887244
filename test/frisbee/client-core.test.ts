import { describe, expect, test } from 'vitest';
import { ipToNumber } from '../../src/util/ipv4.js';
import { BlockMap } from '../../src/frisbee/block-map.js';
import { ClientCore } from '../../src/frisbee/client-core.js';
import { type ClientProfile, REAL_PROFILE } from '../../src/frisbee/receive-options.js';
import { CHUNK_BYTES } from '../../src/ndz/codec/format.js';
import { seededRandom } from '../../src/util/random.js';
import { WantList } from '../../src/frisbee/want-list.js';
import type { Message } from '../../src/frisbee/message.js';
import { decode, encode } from '../../src/frisbee/wire.js';

const PORT = 5005;
const SERVER = '10.9.0.1';
const DATA = new Uint8Array(1024);

/** A client whose clock and network the test holds in its hands. */
function bench(options: { chunks?: number; profile?: Partial<ClientProfile>; inOrder?: boolean; serverIp?: string } = {}) {
  const sent: { now: number; message: Message }[] = [];
  const ready: number[] = [];
  let now = 1000;
  const core = new ClientCore({
    clientId: 42,
    srcIp: ipToNumber('10.9.0.2'),
    port: PORT,
    joinVersion: 1,
    serverIp: options.serverIp ?? null,
    inOrder: options.inOrder ?? true,
    profile: { ...REAL_PROFILE, ...options.profile },
    random: seededRandom(3),
    actions: {
      send: (datagram) => {
        const message = decode(datagram)?.message;
        if (message) sent.push({ now, message });
      },
      joined: (_, buffers) => Array.from({ length: buffers }, () => new Uint8Array(CHUNK_BYTES)),
      chunkReady: (buffer, chunk) => {
        ready.push(chunk);
        freed.push(buffer);
      },
    },
  });
  const freed: number[] = [];
  const hear = (message: Message, from = SERVER): void =>
    core.onDatagram(encode({ srcIp: ipToNumber(from), message }), { address: from, port: PORT }, now);
  const tools = {
    core,
    sent,
    ready,
    hear,
    get now() {
      return now;
    },
    /** Lets time pass in steps of 10 ms. */
    wait(ms: number): void {
      for (const end = now + ms; now < end; ) {
        now += Math.min(10, end - now);
        core.poll(now);
      }
    },
    join(): void {
      core.poll(now);
      hear({ kind: 'joined', version: 1, blocks: (options.chunks ?? 4) * 1024 });
    },
    blocks(chunk: number, from: number, to: number, without: number[] = []): void {
      for (let block = from; block < to; block++) if (!without.includes(block)) hear({ kind: 'block', chunk, block, data: DATA });
      for (let buffer = freed.shift(); buffer !== undefined; buffer = freed.shift()) core.bufferFreed(buffer, now);
    },
    /** What was asked since the last call, as text. */
    asked(): string[] {
      return sent.splice(0).map(({ message }) => {
        if (message.kind === 'request') return `whole ${message.chunk}`;
        if (message.kind === 'prequest') return `part ${message.chunk} (${message.map.count}) retry ${message.retries}`;
        return message.kind;
      });
    },
  };
  return tools;
}

describe('client', () => {
  test('joins every half second until it is answered, then asks for two chunks after one tick', () => {
    const client = bench();
    client.core.poll(client.now);
    client.wait(1600);
    expect(client.sent.map(({ now }) => now)).toEqual([1000, 1500, 2000, 2500]);
    client.sent.length = 0;
    const start = client.now;
    client.hear({ kind: 'joined', version: 2, clientId: 42, blocks: 0, chunkBlocks: 1024, blockBytes: 1024, sizeBytes: 999n });
    client.hear({ kind: 'joined', version: 1, blocks: 0 });
    client.hear({ kind: 'joined', version: 1, blocks: -7 });
    expect(client.core.geometry).toBeNull();
    client.hear({ kind: 'joined', version: 1, blocks: 4096 });
    client.wait(60);
    expect(client.sent.map(({ now, message }) => [now - start, message.kind])).toEqual([
      [30, 'request'],
      [30, 'request'],
    ]);
    expect(client.asked()).toEqual(['whole 0', 'whole 1']);
  });

  test('asks for the next chunk when one is complete, without silence', () => {
    const client = bench();
    client.join();
    client.wait(40);
    client.asked();
    client.blocks(0, 0, 1024);
    expect(client.asked()).toEqual(['whole 2']);
    expect(client.ready).toEqual([0]);
    client.blocks(1, 0, 1024);
    client.blocks(2, 0, 1024);
    client.blocks(3, 0, 1024);
    expect(client.core.complete).toBe(true);
  });

  test('asks again after three silent ticks, then ever more patiently, at last about once a second', () => {
    const client = bench({ chunks: 1 });
    client.join();
    client.wait(40);
    client.blocks(0, 0, 1000, [5]);
    client.sent.length = 0;
    const start = client.now;
    client.wait(30_000);
    const times = client.sent.map(({ now }) => now - start);
    expect(times.slice(0, 3)).toEqual([90, 180, 300]);
    expect(client.sent[0]?.message).toMatchObject({ kind: 'prequest', chunk: 0, retries: 1 });
    expect((times.at(-1) ?? 0) - (times.at(-2) ?? 0)).toBe(1080);
    expect(client.asked()[0]).toBe('part 0 (25) retry 1');
  });

  test('asks for what a pass left out as soon as the next chunk flows', () => {
    const client = bench();
    client.join();
    client.wait(40);
    client.asked();
    client.blocks(0, 0, 1024, [17, 900]);
    client.wait(10);
    client.blocks(1, 0, 100);
    client.wait(10);
    client.blocks(1, 100, 101);
    expect(client.asked()).toEqual(['part 0 (2) retry 1']);
    client.blocks(1, 101, 1024);
    expect(client.asked()).toEqual(['whole 2', 'whole 3']);
  });

  test('does not take two swapped datagrams for the end of a pass', () => {
    const client = bench();
    client.join();
    client.wait(40);
    client.asked();
    client.blocks(0, 0, 50);
    client.blocks(0, 51, 52);
    client.blocks(0, 50, 51);
    client.wait(20);
    client.blocks(0, 52, 1024);
    expect(client.asked()).toEqual(['whole 2']);
  });

  test('keeps quiet about what others have asked for', () => {
    const client = bench();
    client.join();
    client.hear({ kind: 'request', chunk: 0, first: 0, count: 1024 }, '10.9.0.3');
    client.wait(20);
    client.blocks(0, 0, 1024, [17, 900]);
    client.asked();
    client.blocks(1, 0, 1);
    client.hear({ kind: 'prequest', chunk: 0, retries: 0, map: BlockMap.ofRun(10, 10) }, '10.9.0.3');
    client.wait(10);
    client.blocks(1, 1, 2);
    expect(client.asked()).toEqual(['part 0 (1) retry 0']); // 17 was asked for, 900 was not
  });

  test('asks in vain only for its own session: blocks of other servers and impossible ones change nothing', () => {
    const client = bench({ chunks: 1 });
    client.join();
    const block = (chunk: number, number: number, from = SERVER): void =>
      client.hear({ kind: 'block', chunk, block: number, data: DATA }, from);
    block(0, 0, '10.9.0.9');
    block(1, 0);
    block(0x7fffffff, 0);
    client.core.onDatagram(
      encode({ srcIp: ipToNumber(SERVER), message: { kind: 'block', chunk: 0, block: 0, data: DATA } }),
      { address: SERVER, port: PORT + 1 },
      client.now,
    );
    client.blocks(0, 1, 1024);
    expect(client.core.complete).toBe(false);
    block(0, 0);
    expect(client.core.complete).toBe(true);
  });

  test('without room it lets blocks go by, and asks for them later', () => {
    const client = bench({ chunks: 4, profile: { maxBuffers: 1 } });
    client.join();
    client.wait(40);
    expect(client.asked()).toEqual(['join', 'whole 0']);
    client.blocks(0, 0, 500);
    client.blocks(1, 0, 1024);
    expect(client.core.stats.noFreeChunks).toBe(1024);
    client.blocks(0, 500, 1024);
    expect(client.asked().at(-1)).toBe('whole 1');
    client.blocks(1, 0, 1024);
    client.blocks(2, 0, 1024);
    client.blocks(3, 0, 1024);
    expect(client.core.complete).toBe(true);
  });

  test('after a loss of everything it asks for the whole chunk as its second request', () => {
    const client = bench({ chunks: 1 });
    client.join();
    client.wait(130);
    expect(client.asked()).toEqual(['join', 'whole 0', 'part 0 (1024) retry 1']);
    expect(client.core.stats.fullReRequests).toBe(1);
  });

  test('somebody who asks for everything for ever, in vain, does not keep it quiet', () => {
    const client = bench({ chunks: 2 });
    client.join();
    for (let i = 0; i < 62; i++) {
      for (const chunk of [0, 1]) client.hear({ kind: 'request', chunk, first: 0, count: 1024 }, '10.9.0.66');
      client.wait(50);
    }
    expect(client.asked()).toEqual(['join', 'whole 0', 'whole 1']);
    client.blocks(0, 0, 1000);
    for (let i = 0; i < 62; i++) {
      client.hear({ kind: 'prequest', chunk: 0, retries: 0, map: BlockMap.ofRun(1000, 24) }, '10.9.0.66');
      client.hear({ kind: 'request', chunk: 1, first: 0, count: 1024 }, '10.9.0.66');
      client.wait(29);
      client.hear({ kind: 'request', chunk: 1, first: 0, count: 1024 }, '10.9.0.66');
      client.wait(20);
    }
    expect(client.asked()[0]).toBe('part 0 (24) retry 1');
  });

  test('takes part only in the session of the server it was told', () => {
    const client = bench({ chunks: 1, serverIp: SERVER });
    client.core.poll(client.now);
    client.hear({ kind: 'joined', version: 1, blocks: 2048 }, '10.9.0.8');
    expect(client.core.geometry).toBeNull();
    client.hear({ kind: 'joined', version: 1, blocks: 1024 });
    expect(client.core.geometry?.chunks).toBe(1);
  });

  test('a server that owes nothing is not silent', () => {
    const client = bench({ chunks: 1 });
    expect(client.core.serverSilentMs(99_000)).toBe(0);
    client.join();
    expect(client.core.serverSilentMs(client.now + 700)).toBe(700);
    client.blocks(0, 0, 1024);
    expect(client.core.serverSilentMs(client.now + 60_000)).toBe(0);
  });
});

test('the want list: every chunk once, in order or shuffled, and what is put back comes first', () => {
  const ordered = new WantList(5, true, Math.random);
  expect(ordered.first(2, (chunk) => chunk !== 1)).toEqual([0, 2]);
  expect(ordered.first(2, (chunk) => chunk > 0)).toEqual([2, 3]);
  ordered.putBack(0);
  expect(ordered.first(9, () => true)).toEqual([0, 2, 3, 4]);
  const shuffled = new WantList(200, false, seededRandom(1)).first(200, () => true);
  expect([...shuffled].sort((a, b) => a - b)).toEqual(Array.from({ length: 200 }, (_, i) => i));
  expect(shuffled).not.toEqual([...shuffled].sort((a, b) => a - b));
});
