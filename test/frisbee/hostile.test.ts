import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import fc from 'fast-check';
import { ipToNumber, numberToIp } from '../../src/util/ipv4.js';
import { ClientCore } from '../../src/frisbee/client-core.js';
import { REAL_PROFILE } from '../../src/frisbee/receive-options.js';
import { CHUNK_BYTES } from '../../src/ndz/codec/format.js';
import { geometryOf } from '../../src/frisbee/geometry.js';
import { ServerCore } from '../../src/frisbee/server-core.js';
import { decode } from '../../src/frisbee/wire.js';
import { udpDatagrams } from '../helpers/pcap.js';

const PORT = 5005;
const genuine = ['session-1chunk-loss1pct', 'session-N-join2']
  .flatMap((name) => udpDatagrams(fileURLToPath(new URL(`../fixtures/frisbee/${name}.pcap.gz`, import.meta.url))))
  .filter(
    ({ payload }, index, all) =>
      all.findIndex((other) => other.payload.readInt32LE(4) === payload.readInt32LE(4) && other.payload.length === payload.length) ===
      index,
  )
  .map(({ payload }) => payload);

/** Pure noise; or a genuine datagram with some of its words replaced, cut or lengthened. */
const word = fc.oneof(fc.integer({ min: -2, max: 8 }), fc.constantFrom(-0x80000000, 0x7fffffff, 1023, 1024, 0x01000000), fc.integer());
const mutated = fc
  .record({
    base: fc.constantFrom(...genuine),
    changes: fc.array(fc.tuple(fc.integer({ min: 0, max: 10 }), word), { maxLength: 4 }),
    length: fc.option(fc.nat({ max: 1100 })),
  })
  .map(({ base, changes, length }) => {
    const bytes = Buffer.concat([base, Buffer.alloc(200)]);
    for (const [index, value] of changes) bytes.writeInt32LE(value | 0, 4 * index);
    return bytes.subarray(0, length ?? base.length);
  });
const noise = fc.uint8Array({ maxLength: 1100 }).map((bytes) => Buffer.from(bytes));
const datagram = fc.oneof({ weight: 5, arbitrary: mutated }, { weight: 1, arbitrary: noise });
const storm = fc.array(datagram, { minLength: 100, maxLength: 200 });

/** Where the datagram claims to come from, so that it passes that check as often as it can. */
const claimed = (bytes: Buffer): { address: string; port: number } => ({
  address: bytes.length >= 16 ? numberToIp(bytes.readUInt32BE(12)) : '10.9.0.2',
  port: PORT,
});

test('a server survives any storm of datagrams, and what it holds stays bounded', () => {
  const geometry = geometryOf(5 * CHUNK_BYTES + 70_001);
  if (!geometry) throw new Error('no geometry');
  const core = new ServerCore({
    geometry,
    srcIp: ipToNumber('10.9.0.1'),
    port: PORT,
    rateBps: 1e9,
    loopback: false,
    clientSilentMs: 1e9,
    now: 0,
    emit: () => undefined,
  });
  let now = 0;
  fc.assert(
    fc.property(storm, fc.nat({ max: 300 }), (datagrams, limit) => {
      for (const bytes of datagrams) {
        const reply = core.onDatagram(bytes, claimed(bytes), (now += 1));
        if (reply) expect(decode(reply.bytes)?.message.kind).toBe('joined');
      }
      for (let i = 0; i < 50; i++) {
        const work = core.take(1 + limit, now);
        if (work) expect(work.chunk * 1024 + work.first + work.count).toBeLessThanOrEqual(geometry.blocks);
      }
      core.tick((now += 100));
      expect(core.clients.size).toBeLessThanOrEqual(4096);
      expect(core.stats.maxQueueEntries).toBeLessThanOrEqual(2 * geometry.chunks);
    }),
    { numRuns: 120 },
  );
  expect(core.stats.messagesIn).toBeGreaterThan(1000);
}, 60_000);

test('a client survives any storm of datagrams, before and after it joined, and never writes outside its memory', () => {
  const outcomes = { joined: 0, chunks: 0 };
  fc.assert(
    fc.property(storm, fc.boolean(), fc.constantFrom(1 as const, 2 as const), (datagrams, joinFirst, joinVersion) => {
      let now = 0;
      let allocated = 0;
      const core = new ClientCore({
        clientId: 1673831343,
        srcIp: ipToNumber('10.9.0.3'),
        port: PORT,
        joinVersion,
        serverIp: null,
        inOrder: false,
        profile: { ...REAL_PROFILE, maxBuffers: 3 },
        random: Math.random,
        actions: {
          send: (bytes) => expect(decode(bytes)).not.toBeNull(),
          joined: (_, buffers) => {
            outcomes.joined++;
            allocated += buffers;
            return Array.from({ length: buffers }, () => new Uint8Array(CHUNK_BYTES));
          },
          chunkReady: () => void outcomes.chunks++,
        },
      });
      core.poll(now);
      if (joinFirst) {
        const message =
          joinVersion === 1
            ? ({ kind: 'joined', version: 1, blocks: 1024 } as const)
            : ({
                kind: 'joined',
                version: 2,
                clientId: 1673831343,
                blocks: 0,
                chunkBlocks: 1024,
                blockBytes: 1024,
                sizeBytes: 70_001n,
              } as const);
        core.onEnvelope({ srcIp: ipToNumber('10.9.0.1'), message }, { address: '10.9.0.1', port: PORT }, now);
      }
      for (const bytes of datagrams) {
        core.onDatagram(bytes, claimed(bytes), (now += 3));
        core.poll(now);
      }
      expect(allocated).toBeLessThanOrEqual(3);
    }),
    { numRuns: 120 },
  );
  expect(outcomes.joined).toBeGreaterThan(20);
}, 60_000);

test('decoding noise never throws', () => {
  fc.assert(
    fc.property(datagram, (bytes) => void decode(bytes)),
    { numRuns: 20_000 },
  );
}, 60_000);
