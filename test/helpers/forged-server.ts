import { onTestFinished } from 'vitest';
import { ipToNumber } from '../../src/util/ipv4.js';
import type { BlockMap } from '../../src/frisbee/block-map.js';
import { CHUNK_BYTES } from '../../src/ndz/codec/format.js';
import { CHUNK_BLOCKS } from '../../src/frisbee/geometry.js';
import { openSession } from '../../src/frisbee/sockets.js';
import type { Message } from '../../src/frisbee/message.js';
import { decode, encode } from '../../src/frisbee/wire.js';
import { testSession } from './frisbee.js';

const BATCH = 16;

/** What is sent as one block: `times` counts from 1 how often the whole chunk was asked for. Several: one after the other. */
export type Forgery = (block: { chunk: number; block: number; times: number; data: Buffer }) => Buffer | Buffer[];

/**
 * What a client hears when somebody else sends under the server's address as well: both are one socket here, on loopback.
 * Serves `image` until the test ends; `forge` says what becomes of each block. Returns the session's place.
 */
export async function forgedServer(
  image: Buffer,
  forge: Forgery,
): Promise<{ group: string; port: number; times: (chunk: number) => number }> {
  const session = testSession();
  const ip = '127.0.0.1';
  const sent = new Map<number, number>();
  const queue: Buffer[] = [];
  let pumping = false;
  let closed = false;
  // a few at a time: the client reads in this thread, from a buffer of the kernel's usual size
  const pump = (): void => {
    const some = closed ? [] : queue.splice(0, BATCH);
    pumping = some.length > 0;
    for (const [index, bytes] of some.entries())
      sockets.send(bytes, session.group, index < some.length - 1 ? undefined : () => setImmediate(pump));
  };
  const put = (datagrams: Buffer[]): void => {
    queue.push(...datagrams);
    if (!pumping) pump();
  };
  const chunk = (number: number, wanted: BlockMap | null): void => {
    const times = (sent.get(number) ?? 0) + (wanted ? 0 : 1);
    sent.set(number, times);
    for (let block = 0; block < CHUNK_BLOCKS; block++) {
      if (wanted && !wanted.has(block)) continue;
      const at = number * CHUNK_BYTES + block * 1024;
      const data = image.subarray(at, at + 1024);
      const forged = forge({ chunk: number, block, times, data });
      put(
        (Array.isArray(forged) ? forged : [forged]).map((bytes) =>
          encode({ srcIp: ipToNumber(ip), message: { kind: 'block', chunk: number, block, data: bytes } }),
        ),
      );
    }
  };
  const sockets = await openSession(
    { ...session, localIp: ip, loopback: true, bufferBytes: 4 << 20 },
    (bytes, from) => {
      const message = decode(bytes)?.message;
      if (message?.kind === 'join') {
        const joined: Message =
          message.version === 1
            ? { kind: 'joined', version: 1, blocks: image.length / 1024 }
            : {
                kind: 'joined',
                version: 2,
                clientId: message.clientId,
                blocks: 0,
                chunkBlocks: CHUNK_BLOCKS,
                blockBytes: 1024,
                sizeBytes: BigInt(image.length),
              };
        sockets.send(encode({ srcIp: ipToNumber(ip), message: joined }), from.address);
      } else if (message?.kind === 'request') chunk(message.chunk, null);
      else if (message?.kind === 'prequest') chunk(message.chunk, message.map);
    },
    () => undefined,
  );
  onTestFinished(() => {
    closed = true;
    return sockets.close();
  });
  return { ...session, times: (number) => sent.get(number) ?? 0 };
}
