import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import fc from 'fast-check';
import { ipToNumber, numberToIp } from '../../src/util/ipv4.js';
import { BlockMap } from '../../src/frisbee/block-map.js';
import type { Message } from '../../src/frisbee/message.js';
import { decode, encode } from '../../src/frisbee/wire.js';
import { udpDatagrams } from '../helpers/pcap.js';

const fixture = (name: string): string => fileURLToPath(new URL(`../fixtures/frisbee/${name}.pcap.gz`, import.meta.url));

function kinds(name: string): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { payload } of udpDatagrams(fixture(name))) {
    const message = decode(payload)?.message;
    const kind = message ? message.kind + ('version' in message ? String(message.version) : '') : 'invalid';
    counts[kind] = (counts[kind] ?? 0) + 1;
  }
  return counts;
}

describe('captures of the 2015 programs', () => {
  test.each([
    ['session-3chunk', { join1: 1, joined1: 1, request: 3, block: 3072, leave2: 1 }],
    ['session-1chunk-loss1pct', { join1: 1, joined1: 1, request: 1, prequest: 2, block: 1038, leave2: 1 }],
    ['session-N-join2', { join2: 1, joined2: 1, request: 1, block: 69, leave2: 1 }],
  ])('%s: every datagram decodes, and encodes to the same bytes', (name, expected) => {
    for (const { payload, source } of udpDatagrams(fixture(name))) {
      const envelope = decode(payload);
      expect(envelope && numberToIp(envelope.srcIp)).toBe(source);
      if (envelope) expect(encode(envelope).equals(payload)).toBe(true);
    }
    expect(kinds(name)).toEqual(expected);
  });

  test('the leaving client’s statistics are read where the server’s log shows them', () => {
    const last = udpDatagrams(fixture('session-1chunk-loss1pct'))
      .map(({ payload }) => decode(payload)?.message)
      .find((message) => message?.kind === 'leave2');
    expect(last).toMatchObject({ clientId: 1795834085, elapsedSeconds: 0, statsVersion: 1 });
    expect(last?.kind === 'leave2' && last.stats).toMatchObject({
      runMilliseconds: 437,
      realBytesWritten: 3398656,
      effectiveBytesWritten: 16777216,
      chunkBuffers: 1,
      packetTimeoutUs: 30000,
      idleTimer: 3,
      redoDelayUs: 1000000,
      joinAttempts: 1,
      requests: 3,
      partialRequests: 2,
      lostBlocks: 14,
      reRequests: 2,
      writerIdles: 13,
      writeBufferMb: 64,
    });
  });

  test('a cut or lengthened datagram: cut ones are refused at every length, longer ones accepted', () => {
    const seen = new Set<string>();
    for (const { payload } of ['session-1chunk-loss1pct', 'session-N-join2'].flatMap((name) => udpDatagrams(fixture(name)))) {
      const message = decode(payload)?.message;
      if (!message || seen.has(message.kind)) continue;
      seen.add(message.kind);
      for (let length = 0; length < payload.length; length++) expect(decode(payload.subarray(0, length))).toBeNull();
      expect(decode(Buffer.concat([payload, Buffer.alloc(7)]))?.message.kind).toBe(message.kind);
    }
    expect(seen.size).toBe(6);
  });
});

const u32 = fc.integer({ min: 0, max: 0xffffffff });
const i32 = fc.integer({ min: -0x80000000, max: 0x7fffffff });
const u64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const chunk = fc.integer({ min: 0, max: 0x7fffffff });
const join2 = { clientId: u32, blocks: i32, chunkBlocks: i32, blockBytes: i32, sizeBytes: u64 };
const progress = { clientId: u32, who: u32, when: u32, what: fc.integer({ min: 0, max: 65535 }), seq: fc.integer({ min: 0, max: 65535 }) };
const anyMessage: fc.Arbitrary<Message> = fc.oneof(
  fc.record({ kind: fc.constant('join' as const), version: fc.constant(1 as const), clientId: u32 }),
  fc.record({ kind: fc.constant('join' as const), version: fc.constant(2 as const), ...join2 }),
  fc.record({ kind: fc.constant('joined' as const), version: fc.constant(1 as const), blocks: i32 }),
  fc.record({ kind: fc.constant('joined' as const), version: fc.constant(2 as const), ...join2 }),
  fc.record({ kind: fc.constant('leave' as const), clientId: u32, elapsedSeconds: i32 }),
  fc.record({
    kind: fc.constant('block' as const),
    chunk,
    block: fc.integer({ min: 0, max: 1023 }),
    data: fc.uint8Array({ minLength: 1024, maxLength: 1024 }),
  }),
  fc.integer({ min: 0, max: 1023 }).chain((first) =>
    fc.record({
      kind: fc.constant('request' as const),
      chunk,
      first: fc.constant(first),
      count: fc.integer({ min: 1, max: 1024 - first }),
    }),
  ),
  fc.record({
    kind: fc.constant('prequest' as const),
    chunk,
    retries: i32,
    map: fc
      .uint8Array({ minLength: 128, maxLength: 128 })
      .filter((bytes) => bytes.some((byte) => byte > 0))
      .map((bytes) => new BlockMap(bytes)),
  }),
  fc.record({ kind: fc.constant('progress-request' as const), ...progress }),
  fc.record({
    kind: fc.constant('progress' as const),
    ...progress,
    summary: fc.option(fc.record({ chunksReceived: u32, chunksWritten: u32, bytesWritten: u64 })),
  }),
);

describe('codec', () => {
  test('what is encoded is decoded', () => {
    fc.assert(
      fc.property(u32, anyMessage, (srcIp, message) => {
        const bytes = encode({ srcIp, message });
        const decoded = decode(bytes);
        expect(decoded?.srcIp).toBe(srcIp);
        expect(decoded && encode(decoded).equals(bytes)).toBe(true);
        expect(bytes.readInt32LE(8)).toBe(bytes.length - 16);
      }),
      { numRuns: 500 },
    );
  });

  test('requests beyond a chunk, empty requests and negative numbers are no messages', () => {
    const request = (chunkNo: number, first: number, count: number): unknown =>
      decode(encode({ srcIp: 1, message: { kind: 'request', chunk: chunkNo, first, count } }));
    expect(request(0, 1, 1023)).not.toBeNull();
    expect(request(0, 1, 1024)).toBeNull();
    expect(request(0, 0, 0)).toBeNull();
    expect(request(0, 5, -1)).toBeNull();
    expect(request(0, -1, 10)).toBeNull();
    expect(request(-1, 0, 10)).toBeNull();
    expect(request(0, 0x7fffffff, 0x7fffffff)).toBeNull();
    expect(decode(encode({ srcIp: 1, message: { kind: 'prequest', chunk: 1, retries: 0, map: new BlockMap() } }))).toBeNull();
    expect(decode(encode({ srcIp: 1, message: { kind: 'block', chunk: 1, block: 1024, data: new Uint8Array(1024) } }))).toBeNull();
  });

  test('addresses', () => {
    fc.assert(fc.property(u32, (value) => ipToNumber(numberToIp(value)) === value));
    expect(numberToIp(0x0a090002)).toBe('10.9.0.2');
    expect(() => ipToNumber('fit07')).toThrow(TypeError);
  });
});
