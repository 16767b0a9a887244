import { createSocket, type Socket } from 'node:dgram';
import { ipToNumber } from '../../src/util/ipv4.js';
import { BlockMap } from '../../src/frisbee/block-map.js';
import { emptyClientStats } from '../../src/frisbee/client-stats.js';
import { blocksInChunk, type Geometry, geometryOf } from '../../src/frisbee/geometry.js';
import type { Message } from '../../src/frisbee/message.js';
import { decode, encode } from '../../src/frisbee/wire.js';

/** How a release behaves where they differ. */
export type Release = '2011' | '2015' | '2016' | 'later';

type Session = { group: string; port: number };
type Heard = { message: Message; from: string; viaGroup: boolean };

/** One party of a session with sockets of its own, that says exactly what it is told. */
export class ScriptedParty {
  readonly heard: Heard[] = [];
  readonly #ip: string;
  readonly #session: Session;
  readonly #sockets: Socket[] = [];
  #onHeard: (heard: Heard) => void = () => undefined;

  constructor(ip: string, session: Session) {
    this.#ip = ip;
    this.#session = session;
  }

  async open(bufferBytes: number, onHeard: (heard: Heard) => void): Promise<void> {
    this.#onHeard = onHeard;
    const { group, port } = this.#session;
    for (const [address, shared] of [
      [this.#ip, false],
      [group, true],
    ] as const) {
      const socket = createSocket({ type: 'udp4', reuseAddr: shared, recvBufferSize: bufferBytes });
      this.#sockets.push(socket);
      await new Promise<void>((resolve, reject) => socket.once('error', reject).bind({ port, address, exclusive: true }, resolve));
      socket.on('message', (bytes: Buffer, from) => {
        const message = decode(bytes)?.message;
        if (!message || from.address === this.#ip) return;
        const heard = { message, from: from.address, viaGroup: shared };
        if (message.kind !== 'block') this.heard.push(heard);
        this.#onHeard(heard);
      });
      if (shared) socket.addMembership(group, this.#ip);
      else {
        socket.setMulticastLoopback(true);
        socket.setMulticastInterface(this.#ip);
      }
    }
  }

  say(message: Message, to = this.#session.group): void {
    this.#sockets[0]?.send(encode({ srcIp: ipToNumber(this.#ip), message }), this.#session.port, to);
  }

  close(): void {
    for (const socket of this.#sockets) socket.close();
  }
}

const SILENCE_MS = 90;
const JOIN_RETRY_MS = 500;
const BUFFER_BYTES: Record<Release, number> = { '2011': 512 * 1024, '2015': 1 << 20, '2016': 1 << 20, later: 1 << 20 };

/**
 * A client of another release, one chunk after the other: whatever it is sent of a chunk the first time it throws away, so
 * that it must ask for the whole chunk again; then it drops every 100th block, and asks for those.
 * Resolves with what it received, and how its join was answered.
 */
export async function receiveAsRelease(
  release: Release,
  ip: string,
  session: Session,
  raw = false,
): Promise<{ content: Buffer; heard: readonly Heard[] }> {
  const party = new ScriptedParty(ip, session);
  const clientId = 1 + (ipToNumber(ip) % 1000);
  let onBlock: (message: Message & { kind: 'block' }) => void = () => undefined;
  let onJoined: (message: Message & { kind: 'joined' }) => void = () => undefined;
  await party.open(BUFFER_BYTES[release], ({ message, viaGroup }) => {
    if (message.kind === 'block') onBlock(message);
    // with SO_REUSEADDR the 2016 client hears only what is sent to the group
    else if (message.kind === 'joined' && (viaGroup || release !== '2016')) onJoined(message);
  });
  const join: Message = raw
    ? { kind: 'join', version: 2, clientId, blocks: 0, chunkBlocks: 1024, blockBytes: 1024, sizeBytes: 0n }
    : { kind: 'join', version: 1, clientId };
  const geometry = await new Promise<Geometry>((resolve) => {
    party.say(join);
    const again = setInterval(() => party.say(join), JOIN_RETRY_MS);
    onJoined = (message) => {
      if (message.version === 2 && message.clientId !== clientId) return;
      const found = geometryOf(message.version === 1 ? message.blocks * 1024 : Number(message.sizeBytes));
      clearInterval(again);
      if (found) resolve(found);
    };
  });
  const content = Buffer.alloc(geometry.chunks * (1 << 20));
  const server = party.heard.find(({ message }) => message.kind === 'joined')?.from ?? '';
  for (let chunk = 0; chunk < geometry.chunks; chunk++) {
    await receiveChunk(chunk, geometry);
    const summary = { chunksReceived: chunk + 1, chunksWritten: chunk, bytesWritten: BigInt(chunk) };
    if (release === 'later')
      party.say({ kind: 'progress', clientId, who: 0, when: 1_700_000_000, what: 1, seq: chunk + 1, summary }, server);
  }
  if (release === '2011') party.say({ kind: 'leave', clientId, elapsedSeconds: 1 });
  else party.say({ kind: 'leave2', clientId, elapsedSeconds: 1, statsVersion: 1, stats: emptyClientStats() });
  await new Promise((resolve) => setImmediate(resolve));
  party.close();
  return { content: content.subarray(0, geometry.sizeBytes), heard: party.heard };

  function receiveChunk(chunk: number, { sizeBytes }: Geometry): Promise<void> {
    const size = blocksInChunk({ sizeBytes, blocks: Math.ceil(sizeBytes / 1024), chunks: 0 }, chunk);
    const have = new BlockMap();
    let pass = 0;
    const ask = (): void => {
      const missing = have.missing(size);
      if (pass === 0 || (missing.count === size && release === '2011')) party.say({ kind: 'request', chunk, first: 0, count: size });
      else party.say({ kind: 'prequest', chunk, retries: 1, map: missing });
    };
    return new Promise((resolve) => {
      const silent = setTimeout(() => {
        pass++;
        ask();
        silent.refresh();
      }, SILENCE_MS);
      ask();
      onBlock = (message) => {
        if (message.chunk !== chunk || message.block >= size) return;
        silent.refresh();
        if (pass === 0 || (pass === 1 && message.block % 100 === 99)) return;
        have.add(message.block);
        content.set(message.data, chunk * (1 << 20) + message.block * 1024);
        if (have.count < size) return;
        clearTimeout(silent);
        resolve();
      };
    });
  }
}

/** A server of a release after 2016: answers joins to the group alone, asks every joiner for reports, sends what is asked for. */
export async function serveAsLater(content: Buffer, ip: string, session: Session): Promise<{ reports: () => number; close: () => void }> {
  const party = new ScriptedParty(ip, session);
  const send = (chunk: number, map: BlockMap): void => {
    for (let block = 0; block < 1024; block++) {
      const at = chunk * (1 << 20) + block * 1024;
      if (map.has(block) && at < content.length)
        party.say({
          kind: 'block',
          chunk,
          block,
          data: Buffer.concat([content.subarray(at, at + 1024), Buffer.alloc(1024)]).subarray(0, 1024),
        });
    }
  };
  await party.open(1 << 20, ({ message }) => {
    if (message.kind === 'join') {
      const { clientId } = message;
      if (message.version === 1) party.say({ kind: 'joined', version: 1, blocks: content.length / 1024 });
      else
        party.say({
          kind: 'joined',
          version: 2,
          clientId,
          blocks: 0,
          chunkBlocks: 1024,
          blockBytes: 1024,
          sizeBytes: BigInt(content.length),
        });
      party.say({ kind: 'progress-request', clientId, who: 0, when: 1, what: 1, seq: 1 });
    } else if (message.kind === 'request') send(message.chunk, BlockMap.ofRun(message.first, message.count));
    else if (message.kind === 'prequest') send(message.chunk, message.map);
  });
  return { reports: () => party.heard.filter(({ message }) => message.kind === 'progress').length, close: () => party.close() };
}
