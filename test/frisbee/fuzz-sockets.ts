import { createSocket, type Socket } from 'node:dgram';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ipToNumber } from '../../src/util/ipv4.js';
import { receiveImage } from '../../src/frisbee/receive.js';
import { CHUNK_BYTES } from '../../src/ndz/codec/format.js';
import { ServerSession } from '../../src/frisbee/server-session.js';
import { udpBatches } from '../../src/native/udp-batches.js';
import { dice, type Dice } from '../helpers/mutate.js';
import { damaged, someMessage } from './fuzz-datagrams.js';

export type SocketFuzzReport = {
  count: number;
  transfers: number;
  seconds: number;
  sentBlocks: number;
  imageBlocks: number;
  peakBytes: number;
};

/** Why datagrams go one by one, and not in batches; null when they go in batches. */
export const whyPlain = (): Promise<string | null> => udpBatches.whyOff();

const CHUNKS = 12;
const ATTACKERS = 8;
const BURST = 16;

/**
 * Sends `count` damaged datagrams from eight addresses, to the group and to server and clients alone, while image after
 * image is transferred to two clients. Throws when one of them does not arrive as it was sent.
 */
export async function fuzzSockets(
  folder: string,
  session: { group: string; port: number },
  count: number,
  seed: number,
): Promise<SocketFuzzReport> {
  const roll = dice(seed);
  const content = Buffer.alloc(CHUNKS * CHUNK_BYTES);
  for (let at = 0; at < content.length; at += 4) content.writeUInt32LE(roll(0xffff_ffff), at);
  const imagePath = join(folder, 'image');
  writeFileSync(imagePath, content);
  const server = await ServerSession.start(
    { ...session, imagePath, localIp: '127.0.0.1', loopback: true, rateBps: 300_000_000 },
    () => undefined,
  );
  const attackers = await Promise.all(Array.from({ length: ATTACKERS }, (_, i) => openAttacker(`127.0.66.${i + 1}`, session.port)));
  const report: SocketFuzzReport = { count: 0, transfers: 0, seconds: 0, sentBlocks: 0, imageBlocks: content.length / 1024, peakBytes: 0 };
  const began = performance.now();
  const isFinished = (): boolean => report.count >= count;
  const attack = async (): Promise<void> => {
    while (!isFinished()) {
      await burst(attackers, session, roll);
      report.count += BURST;
      report.peakBytes = Math.max(report.peakBytes, process.memoryUsage.rss());
    }
  };
  const receive = async (ip: string): Promise<void> => {
    do {
      const got = Buffer.alloc(content.length);
      await receiveImage({ ...session, localIp: ip, loopback: true, serverIp: '127.0.0.1', sink: memorySink(got) });
      if (!got.equals(content)) throw new Error(`broken: what ${ip} received is not what was sent`);
      report.transfers++;
    } while (!isFinished());
  };
  try {
    await Promise.all([attack(), receive('127.0.3.1'), receive('127.0.3.2')]);
    report.seconds = (performance.now() - began) / 1000;
    report.sentBlocks = (await server.stop()).sentBlocks;
    return report;
  } finally {
    await server.stop();
    for (const { socket } of attackers) socket.close();
  }
}

type Attacker = { socket: Socket; ip: number; scratch: Buffer };

async function openAttacker(address: string, port: number): Promise<Attacker> {
  const socket = createSocket({ type: 'udp4', lookup: (name, _family, callback) => callback(null, name, 4) });
  await new Promise<void>((resolve) => socket.bind(port, address, resolve));
  socket.setMulticastLoopback(true);
  socket.setMulticastInterface(address);
  return { socket, ip: ipToNumber(address), scratch: Buffer.alloc(1400) };
}

/** A datagram of each of some attackers, two each; resolves when the kernel has taken them. */
async function burst(attackers: readonly Attacker[], { group, port }: { group: string; port: number }, roll: Dice): Promise<void> {
  const targets = [group, group, '127.0.0.1', '127.0.3.1', '127.0.3.2'];
  await Promise.all(
    Array.from({ length: BURST }, (_, i) => {
      const attacker = attackers[i % attackers.length];
      if (!attacker) throw new Error('no attackers');
      const message = someMessage(roll, CHUNKS);
      const bytes = Buffer.from(damaged(message, roll(8) === 0 ? roll(0xffff_ffff) : attacker.ip, attacker.scratch, roll));
      return new Promise<void>((resolve) => attacker.socket.send(bytes, port, targets[roll(targets.length)] ?? group, () => resolve()));
    }),
  );
  await new Promise((resolve) => setImmediate(resolve));
}

function memorySink(content: Buffer): Parameters<typeof receiveImage>[0]['sink'] {
  return {
    write: (chunk, index, sizeBytes) => {
      content.set(chunk.subarray(0, sizeBytes), index * CHUNK_BYTES);
      return Promise.resolve();
    },
    finish: () => Promise.resolve({ effectiveBytes: content.length, actualBytes: content.length, writes: 1 }),
    abort: () => Promise.resolve(),
  };
}
