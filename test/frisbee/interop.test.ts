import { createHash, randomFillSync } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import { createReadStream, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { deflateSync } from 'node:zlib';
import { executablePath, packageRoot } from '../../src/util/dist.js';
import { type Ended, type Started, TestNetwork, whyNoNamespaces } from '../helpers/netns.js';

/** The folder of real, static frisbee, frisbeed and imagezip binaries. */
const realFolder = process.env.IMAGING_REAL_FRISBEE;
const ours = (program: 'frisbee' | 'frisbeed'): string[] => [process.execPath, executablePath, program];
const real = (program: 'frisbee' | 'frisbeed' | 'imagezip'): string[] => [join(realFolder ?? '', program)];

const missing = whyNoNamespaces() ?? (existsSync(join(packageRoot, 'dist/main.js')) ? null : 'needs dist/ (npm run build)');
const missingReal = missing ?? (realFolder ? null : 'needs IMAGING_REAL_FRISBEE=<folder with frisbee, frisbeed, imagezip>');
if (missing) process.stderr.write(`skipped: frisbee in network namespaces: ${missing}\n`);
if (missingReal) process.stderr.write(`skipped: frisbee against the real programs: ${missingReal}\n`);

const GROUP = '239.1.2.3';
const PORT = '5005';
const HOSTS = 5;
const folder = missing ? '' : mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'imaging-interop-'));
let network: TestNetwork | null = null;

beforeAll(() => {
  if (!missing) network = new TestNetwork(HOSTS);
});
afterEach(() => {
  for (let host = 2; host <= HOSTS; host++) rmSync(join(folder, `out${host}`), { force: true });
});
afterAll(async () => {
  await network?.remove();
  if (folder) rmSync(folder, { recursive: true, force: true });
});

function net(): TestNetwork {
  if (!network) throw new Error('no network');
  return network;
}

function session(host: number): string[] {
  return ['-i', net().address(host), '-m', GROUP, '-p', PORT];
}

async function sha256(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const piece of createReadStream(path)) hash.update(piece as Buffer);
  return hash.digest('hex');
}

/** Serves `image` to the clients on hosts 2 ..; returns how everything ended. The server ends by itself when they left. */
async function transfer(options: {
  server: string[];
  client: string[];
  clients: number;
  image: string;
  serverOptions?: string[];
  clientOptions?: string[];
}): Promise<{ server: Ended; clients: Ended[]; hashes: string[] }> {
  const { server, client, clients, image, serverOptions = [], clientOptions = [] } = options;
  const serving = net().start(1, [...server, '-d', '-T', '-1', ...session(1), ...serverOptions, image]);
  await expect.poll(() => serving.stderr(), { timeout: 10_000 }).toContain('Using Multicast');
  const receiving: Started[] = [];
  for (let host = 2; host < 2 + clients; host++)
    receiving.push(net().start(host, [...client, ...clientOptions, ...session(host), join(folder, `out${host}`)]));
  const ended = await Promise.all(receiving.map(({ done }) => done));
  serving.kill('SIGTERM');
  const hashes = await Promise.all(ended.map((_, i) => sha256(join(folder, `out${2 + i}`))));
  return { server: await serving.done, clients: ended, hashes };
}

/** How many blocks the server sent, by its own last words. */
function blocksSent(server: Ended): number {
  return Number(/1k blocks sent: +(\d+)/.exec(server.stderr)?.[1]);
}

/** A disk of random and text bytes, and its image, made by the real imagezip or here. */
async function makeImage(name: string, mebibytes: number): Promise<{ image: string; sha: string; blocks: number }> {
  const disk = join(folder, `${name}.img`);
  const image = join(folder, `${name}.ndz`);
  const content = randomFillSync(Buffer.alloc(mebibytes << 20));
  for (let at = 0; at < content.length; at += 2 << 20) content.fill('some line of compressible text\n', at, at + (1 << 20));
  writeFileSync(disk, content);
  if (realFolder) execFileSync(real('imagezip')[0] ?? '', ['-r', '-D', disk, image], { stdio: 'pipe' });
  else writeFileSync(image, plainImage(content));
  rmSync(disk);
  const blocks = Number(execFileSync('stat', ['-c', '%s', image]).toString()) / 1024;
  return { image, sha: createHash('sha256').update(content).digest('hex'), blocks };
}

/** A version 3 image with half a mebibyte of disk in each chunk, so that no chunk can overflow. */
function plainImage(content: Buffer): Buffer {
  const piece = 1 << 19;
  const chunks: Buffer[] = [];
  for (let at = 0; at < content.length; at += piece) {
    const chunk = Buffer.alloc(1 << 20);
    const stream = deflateSync(content.subarray(at, at + piece));
    const first = at / 512;
    [0x6969696b, stream.length, chunks.length, 0, 4096, 1, first, first + piece / 512, 0, first, piece / 512].forEach((value, i) =>
      chunk.writeUInt32LE(value, 4 * i),
    );
    stream.copy(chunk, 4096);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

describe.skipIf(missing !== null)('in network namespaces, each party alone with its port', () => {
  test('our server, two of our clients, one of them losing 1 %', async () => {
    const { image, sha, blocks } = await makeImage('small', 16);
    const lossy = net().loseAt(3, 10);
    const { server, clients, hashes } = await transfer({
      server: ours('frisbeed'),
      client: ours('frisbee'),
      clients: 2,
      image,
      serverOptions: ['-W', '200000000'],
    });
    net().loseAt(3, 0);
    expect(clients.map(({ code }) => code)).toEqual([0, 0]);
    expect(hashes).toEqual([sha, sha]);
    expect(server.code).toBe(0);
    expect(server.stderr.match(/joins \(v1\)/g)).toHaveLength(2);
    expect(blocksSent(server)).toBeLessThan(blocks * 2); // one of the two may join late
    if (lossy) expect(blocksSent(server)).toBeGreaterThan(blocks);
  }, 60_000);

  test('a second server on the port ends with 98', async () => {
    const { image } = await makeImage('tiny', 1);
    const first = net().start(1, [...ours('frisbeed'), '-d', ...session(1), image]);
    await expect.poll(() => first.stderr(), { timeout: 10_000 }).toContain('Using Multicast');
    expect((await net().start(1, [...ours('frisbeed'), ...session(1), image]).done).code).toBe(98);
    first.kill('SIGTERM');
    expect((await first.done).code).toBe(0);
  }, 60_000);
});

describe.skipIf(missingReal !== null)('with the real programs', () => {
  let big = { image: '', sha: '', blocks: 0 };
  beforeAll(async () => {
    if (!missingReal) big = await makeImage('big', 320);
    expect(missingReal !== null || big.blocks >= 160 * 1024).toBe(true);
  }, 120_000);

  test.each([
    { from: 'ours', to: 'real', clients: 1, rate: ['-W', '100000000'] },
    { from: 'ours', to: 'real', clients: 1, rate: ['-G', '0'] },
    { from: 'ours', to: 'real', clients: 4, rate: ['-W', '100000000'] },
    { from: 'ours', to: 'real', clients: 4, rate: ['-W', '1000000000'] },
    { from: 'real', to: 'ours', clients: 1, rate: ['-W', '400000000'] },
    { from: 'real', to: 'ours', clients: 4, rate: ['-W', '200000000'] },
  ] as const)(
    '$from server $rate, $clients $to clients',
    async ({ from, to, clients, rate }) => {
      const pick = { ours, real };
      const {
        server,
        clients: ended,
        hashes,
      } = await transfer({
        server: pick[from]('frisbeed'),
        client: pick[to]('frisbee'),
        clients,
        image: big.image,
        serverOptions: [...rate],
        clientOptions: ['-q'],
      });
      expect(ended.map(({ code }) => code)).toEqual(Array.from({ length: clients }, () => 0));
      expect(hashes).toEqual(Array.from({ length: clients }, () => big.sha));
      for (const { stderr } of ended) expect(stderr).toContain('Wrote 335544320 bytes (335544320 actual)');
      expect(server.code).toBe(0);
      expect(server.stderr).toContain(`ran for`);
      expect(blocksSent(server)).toBeLessThan(big.blocks * 1.5);
    },
    180_000,
  );

  test('a real client and one of ours together, the real one losing 1 %', async () => {
    net().loseAt(2, 10);
    const image = big.image;
    const serving = net().start(1, [...ours('frisbeed'), '-d', '-T', '-1', ...session(1), '-W', '300000000', image]);
    await expect.poll(() => serving.stderr(), { timeout: 10_000 }).toContain('Using Multicast');
    const clients = [
      net().start(2, [...real('frisbee'), '-q', ...session(2), join(folder, 'out2')]),
      net().start(3, [...ours('frisbee'), '-q', ...session(3), join(folder, 'out3')]),
    ];
    for (const { done } of clients) expect((await done).code).toBe(0);
    expect(await Promise.all([2, 3].map((host) => sha256(join(folder, `out${host}`))))).toEqual([big.sha, big.sha]);
    net().loseAt(2, 0);
    expect((await serving.done).stderr).toContain('Last client left!');
  }, 180_000);

  test('-N: a file that is no image, both ways', async () => {
    const path = join(folder, 'odd');
    writeFileSync(path, randomFillSync(Buffer.alloc(3_000_001)));
    for (const [server, client] of [
      [ours, real],
      [real, ours],
    ] as const) {
      const { clients, hashes } = await transfer({
        server: server('frisbeed'),
        client: client('frisbee'),
        clients: 1,
        image: path,
        clientOptions: ['-N'],
      });
      expect(clients[0]?.code).toBe(0);
      expect(hashes).toEqual([await sha256(path)]);
    }
  }, 60_000);
});
