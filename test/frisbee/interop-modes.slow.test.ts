import { randomFillSync } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { executablePath, packageRoot } from '../../src/util/dist.js';
import { missing as tool } from '../helpers/file-system-tools.js';
import { TestNetwork, whyNoNamespaces } from '../helpers/netns.js';

/** The folder of real, static frisbee and frisbeed binaries. */
const realFolder = process.env.IMAGING_REAL_FRISBEE;
const missing = whyNoNamespaces() ?? (existsSync(join(packageRoot, 'dist/main.js')) ? null : 'needs dist/ (npm run build)');
const programs = {
  ours: (name: string): string[] => [process.execPath, executablePath, name],
  real: (name: string): string[] => [join(realFolder ?? '', name)],
};
const PAIRS = [
  ['ours', 'ours'],
  ...(realFolder
    ? [
        ['ours', 'real'],
        ['real', 'ours'],
      ]
    : []),
] as ['ours' | 'real', 'ours' | 'real'][];

const folder = missing ? '' : mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'imaging-modes-'));
const file = join(folder, 'served');
let content = Buffer.alloc(0);
let network: TestNetwork | null = null;
let port = 5100;

beforeAll(() => {
  if (missing) return;
  network = new TestNetwork(3);
  content = randomFillSync(Buffer.alloc((2 << 20) + 70_001));
  writeFileSync(file, content);
});
afterAll(async () => {
  await network?.remove();
  if (folder) rmSync(folder, { recursive: true, force: true });
});

function net(): TestNetwork {
  if (!network) throw new Error('no network');
  return network;
}

/** Serves the file from host 1 to these hosts, as it is; the words name the session. The server ends when they have left. */
async function transfer(
  pair: readonly ['ours' | 'real', 'ours' | 'real'],
  hosts: readonly number[],
  serverWords: string[],
  clientWords: (host: number) => string[],
): Promise<void> {
  port++;
  const [from, to] = pair;
  const serving = net().start(1, [
    ...programs[from]('frisbeed'),
    '-d',
    '-T',
    '30',
    '-i',
    net().address(1),
    '-p',
    String(port),
    ...serverWords,
    file,
  ]);
  await expect.poll(() => serving.stderr(), { timeout: 20_000 }).toContain('Bound to port');
  const clients = hosts.map((host) =>
    net().start(host, [
      ...programs[to]('frisbee'),
      '-q',
      '-N',
      '-i',
      net().address(host),
      '-p',
      String(port),
      ...clientWords(host),
      join(folder, `out${host}`),
    ]),
  );
  for (const { done } of clients) expect(await done).toMatchObject({ code: 0 });
  for (const host of hosts) expect(readFileSync(join(folder, `out${host}`)).equals(content)).toBe(true);
  serving.kill('SIGTERM');
  expect((await serving.done).code).toBe(0);
}

describe.skipIf(missing !== null)('in network namespaces', () => {
  test.each(PAIRS)(
    'unicast: %s -> %s',
    async (...pair) => {
      await transfer(pair, [2], ['-m', net().address(2)], () => ['-m', net().address(1)]);
    },
    60_000,
  );

  test.each(PAIRS)(
    'broadcast to the subnet: %s -> %s, two clients',
    async (...pair) => {
      const words = ['-b', '-m', '10.9.0.255'];
      await transfer(pair, [2, 3], words, () => words);
    },
    60_000,
  );

  test.skipIf(tool('nft') !== null)(
    '-K: a waiting client and an idle server join their group again and again',
    async () => {
      const count = (host: number): number =>
        Number(/packets (\d+)/.exec(net().run(host, ['nft', 'list', 'table', 'ip', 'joins']))?.[1] ?? 0);
      const words = (host: number): string[] => ['-K', '1', '-i', net().address(host), '-m', '239.1.2.3', '-p', `${5090 + host}`]; // neither hears the other
      for (const host of [1, 2])
        net().run(host, [
          'nft',
          'add table ip joins; add chain ip joins out { type filter hook output priority 0; }; add rule ip joins out meta l4proto igmp counter',
        ]);
      const parties = [
        net().start(1, [...programs.ours('frisbeed'), '-d', ...words(1), file]),
        net().start(2, [...programs.ours('frisbee'), ...words(2), join(folder, 'none')]),
      ];
      for (const { stderr } of parties) await expect.poll(() => stderr(), { timeout: 20_000 }).toContain('Using Multicast');
      // joining is one report and its repeat, leaving another: more than that comes only of joining again
      for (const host of [1, 2]) await expect.poll(() => count(host), { timeout: 20_000 }).toBeGreaterThan(6);
      for (const { kill, done } of parties) {
        kill('SIGTERM');
        await done;
      }
    },
    60_000,
  );
});
