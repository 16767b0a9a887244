import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { exitCodeOfError } from '../../../src/cli/kit/exit.js';
import { commands } from '../../../src/cli/table.js';
import { parseArguments } from '../../../src/cli/kit/parse.js';
import { messageOf } from '../../../src/util/errors.js';
import { systemHost } from '../../../src/util/host.js';
import { scratch } from '../../helpers/cli.js';
import { ACCOUNT, lease, r2labServer, type R2labServer } from '../../helpers/lease-servers.js';
import { someNodes } from '../../helpers/nodes.js';

const zone = process.env.TZ;
beforeAll(() => void (process.env.TZ = 'UTC'));
afterAll(() => {
  if (zone === undefined) delete process.env.TZ;
  else process.env.TZ = zone;
});

const NOON = Date.UTC(2026, 10, 26, 12);
const HOUR = 3_600_000;
let dir: string;
let nowMs: number;
beforeEach(() => {
  dir = scratch();
  nowMs = NOON;
  const nodes = someNodes(1, 12).map(({ cmc, control }) => ({ cmc, control }));
  writeFileSync(join(dir, 'inventory.json'), JSON.stringify(nodes));
});

function configure(section: string): void {
  writeFileSync(join(dir, 'imaging.conf'), `[testbed]\ninventory_path = inventory.json\n[leases]\nprivileged = root\n${section}\n`, {
    mode: 0o600,
  });
}

type Result = { code: number; stdout: string; stderr: string };

/** `imaging-leases` in this process, as `login`, at the time `nowMs`. */
async function leases(login: string, line: string, env: Record<string, string> = {}): Promise<Result> {
  const text = { stdout: '', stderr: '' };
  const into = (name: 'stdout' | 'stderr') =>
    new Writable({ write: (chunk, _encoding, done) => ((text[name] += String(chunk)), done()) }) as NodeJS.WriteStream; // as: only written to
  const host = { ...systemHost, env: { IMAGING_CONFIG: join(dir, 'imaging.conf'), ...env }, now: () => nowMs, login: () => login };
  const command = commands.find(({ name }) => name === 'leases');
  let code: number;
  try {
    if (command?.kind !== 'plain') throw new Error('no command');
    const parsed = await parseArguments(
      command,
      line.split('|').flatMap((part, index) => (index % 2 === 0 ? part.split(' ').filter((word) => word !== '') : [part])),
    );
    if (!('args' in parsed)) throw new Error('no arguments');
    const { signal } = new AbortController();
    const { run } = await command.load();
    code = await run(parsed.args, { host, argv: [], commands, stdout: into('stdout'), stderr: into('stderr'), signal });
  } catch (error) {
    code = exitCodeOfError(error);
    text.stderr += `${messageOf(error)}\n`;
  }
  return { code, ...text };
}

describe('with a file of leases', () => {
  beforeEach(() => configure('backend = local\nfile = leases.db'));

  test('shows what was booked, for people', async () => {
    expect(await leases('alice', 'list')).toEqual({ code: 0, stdout: 'no leases, now or later\n', stderr: '' });
    expect(await leases('alice', 'book 12 14:30')).toEqual({
      code: 0,
      stdout: 'booked: all nodes for alice, from 12:00 UTC until 14:30 UTC (lease 1)\n',
      stderr: '',
    });
    expect((await leases('bob', 'book 27T22 2 --nodes |1-7 ~4|')).stdout).toBe(
      'booked: 1-3,5-7 for bob, from 11-27 22:00 UTC until 11-28 02:00 UTC (lease 2)\n',
    );
    expect((await leases('alice', 'list')).stdout).toBe(
      '*  now   1  2026-11-26 12:00 UTC  2026-11-26 14:30 UTC  alice  all nodes\n' +
        '   next  2  2026-11-27 22:00 UTC  2026-11-28 02:00 UTC  bob    1-3,5-7\n',
    );
    nowMs += 3 * HOUR;
    expect((await leases('bob', 'list')).stdout).toBe('*  next  2  2026-11-27 22:00 UTC  2026-11-28 02:00 UTC  bob  1-3,5-7\n');
    expect((await leases('bob', 'list --all')).stdout).toMatch(/^ {3}past {2}1 .*\n\* {2}next {2}2 /);
  });

  test('and for scripts', async () => {
    expect(JSON.parse((await leases('alice', 'book now +2h --nodes 3 --json')).stdout)).toEqual({
      id: '1',
      owner: 'alice',
      from: '2026-11-26T12:00:00.000Z',
      until: '2026-11-26T14:00:00.000Z',
      nodes: ['fit03'],
      state: 'running',
      yours: true,
    });
    await leases('bob', 'book 13 14 --nodes 4');
    const listed: unknown = JSON.parse((await leases('bob', 'list --json')).stdout);
    expect(listed).toMatchObject([
      { id: '1', state: 'running', yours: false },
      { id: '2', state: 'future', yours: true, nodes: ['fit04'] },
    ]);
    nowMs += 60_000;
    expect(JSON.parse((await leases('alice', 'cancel 1 --json')).stdout)).toEqual({ id: '1', cancelled: true });
    expect(JSON.parse((await leases('carol', 'list --json --all')).stdout)).toMatchObject([
      { id: '1', state: 'past', until: '2026-11-26T12:01:00.000Z' },
      { id: '2' },
    ]);
  });

  test('check: yes is 0, no is 1, and why', async () => {
    expect(await leases('alice', 'check')).toMatchObject({ code: 1, stdout: 'alice has no lease now\n' });
    await leases('alice', 'book 12 14 --nodes 1-2');
    await leases('bob', 'book 11 13 --nodes 3');
    expect(await leases('alice', 'check 1-2')).toEqual({ code: 0, stdout: 'alice has a lease on 1-2 until 14:00 UTC\n', stderr: '' });
    expect(await leases('alice', 'check')).toMatchObject({ code: 0, stdout: 'alice has a lease until 14:00 UTC\n' });
    expect(await leases('carol', 'check')).toMatchObject({
      code: 1,
      stdout: 'carol has no lease now; bob has one until 13:00 UTC; alice has one until 14:00 UTC\n',
    });
    expect(await leases('alice', 'check 2-4')).toMatchObject({
      code: 1,
      stdout: 'alice has no lease on fit03 now: bob holds it until 13:00 UTC\nalice has no lease on fit04 now\n',
    });
    expect(JSON.parse((await leases('alice', 'check 2-3 --json')).stdout)).toMatchObject({
      ok: false,
      owner: 'alice',
      nodes: [
        { node: 'fit02', ok: true, until: '2026-11-26T14:00:00.000Z', reason: null },
        { node: 'fit03', ok: false, until: null, reason: expect.stringContaining('bob') },
      ],
    });
    nowMs += 2 * HOUR;
    expect(await leases('alice', 'check 1')).toMatchObject({
      code: 1,
      stdout: 'alice has no lease on fit01 now: the last one ended at 14:00 UTC\n',
    });
  });

  test('check: NODES counts, privileged users need nothing, unknown nodes are a mistake', async () => {
    await leases('alice', 'book 12 14 --nodes 1-2');
    expect(await leases('alice', 'check', { NODES: 'fit01' })).toMatchObject({ code: 0, stdout: expect.stringContaining('on 1 until') });
    expect((await leases('alice', 'check', { NODES: 'fit01 fit09' })).code).toBe(1);
    expect(await leases('root', 'check 9')).toMatchObject({ code: 0, stdout: 'root is privileged and needs no lease\n' });
    expect(await leases('alice', 'check 99')).toMatchObject({ code: 2, stderr: expect.stringContaining('99 is not in the inventory') });
    expect((await leases('alice', 'check 1-3 ~1-3')).code).toBe(2);
  });

  test('what is taken, or belongs to others, is refused: 3', async () => {
    await leases('bob', 'book 14 16 --nodes 1-3');
    expect(await leases('alice', 'book 15 17 --nodes 3-5')).toMatchObject({
      code: 3,
      stderr: 'not free at that time: bob has fit03 from 14:00 UTC until 16:00 UTC (lease 1)\n',
    });
    expect(await leases('alice', 'cancel 1')).toMatchObject({ code: 3, stderr: 'lease 1 belongs to bob\n' });
    expect(await leases('alice', 'book 16 17 --slice bob')).toMatchObject({
      code: 3,
      stderr: expect.stringContaining('alice may book for alice only'),
    });
    expect((await leases('root', 'book 16 17 --slice carol')).stdout).toContain('for carol');
    expect((await leases('root', 'cancel 1')).code).toBe(0);
  });

  test.each([
    ['book 9 11', 'is past'],
    ['book 14 13', 'ends before it begins'],
    ['book 14 14', 'ends before it begins'],
    ['book noon 14', 'is no time'],
    ['book 14', 'book takes FROM UNTIL'],
    ['book 14 15 --all', '--all means nothing to book'],
    ['book 14 15 --nodes 99', 'not in the inventory'],
    ['book 14 15 --nodes |1 ~1|', 'the selection is empty'],
    ['book 14 15 --nodes |  |', 'no node given'],
    ['book 14 15 --slice |a b|', 'is no login'],
    ['cancel 9', 'no lease "9"'],
    ['boook 14 15', 'unknown action "boook"'],
    ['', 'no action given'],
  ])('%j is a mistake: 2', async (line, text) => {
    expect(await leases('alice', line)).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining(text) });
    expect((await leases('alice', 'list')).stdout).toBe('no leases, now or later\n');
  });

  test('a file that is none is the environment’s fault: 4', async () => {
    mkdirSync(join(dir, 'leases.db'));
    expect(await leases('alice', 'list')).toMatchObject({ code: 4, stderr: expect.stringContaining('not a regular file') });
  });
});

describe('with an R2lab API', () => {
  let server: R2labServer;
  beforeEach(async () => {
    server = await r2labServer([lease('bob', NOON, NOON + HOUR), lease(null, NOON, NOON + HOUR)]);
    configure(`backend = r2labapi\nurl = ${server.url}\ntimeout = 20`);
  });
  afterEach(() => server.close());
  const account = { R2LABAPI_EMAIL: ACCOUNT.email, R2LABAPI_PASSWORD: ACCOUNT.password };

  test('lists, and tells of what it left out', async () => {
    expect(await leases('alice', 'list')).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^ {3}now {2}\d+ {2}2026-11-26 12:00 UTC .* bob {2}all nodes\n$/),
      stderr: expect.stringContaining('1 entries'),
    });
  });

  test('books for any slice that the server lets, and cancels', async () => {
    expect(await leases('alice', 'book 14 15 --slice inria_lab', account)).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('for inria_lab'),
    });
    expect(server.leases.at(-1)).toMatchObject({
      slice_name: 'inria_lab',
      t_from: '2026-11-26T14:00:00Z',
      t_until: '2026-11-26T15:00:00Z',
    });
    expect((await leases('alice', `cancel ${server.leases.at(-1)?.id}`, account)).code).toBe(0);
    expect(server.leases).toHaveLength(2);
  });

  test('refuses with what it knows', async () => {
    expect(await leases('alice', 'book 12:30 14', account)).toMatchObject({
      code: 3,
      stderr: expect.stringContaining('bob has it from 12:00 UTC until 13:00 UTC'),
    });
    expect(await leases('alice', 'book 14 15')).toMatchObject({ code: 4, stderr: expect.stringContaining('who you are') });
    expect(await leases('alice', 'book 14 15 --nodes 1', account)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('whole testbed'),
    });
    expect(await leases('alice', 'check 1')).toMatchObject({
      code: 1,
      stdout: 'alice has no lease on fit01 now: bob holds it until 13:00 UTC\n',
    });
    expect((await leases('bob', 'check 1-12')).code).toBe(0);
  });

  test.each(['error', 'garbage', 'drops'] as const)('a server that says %s: 4', async (mood) => {
    server.mood = mood;
    for (const line of ['list', 'check', 'check 1'])
      expect(await leases('alice', line)).toMatchObject({ code: 4, stdout: '', stderr: expect.stringContaining(`${server.url}/leases`) });
  });
});

test('where nobody keeps leases, none is needed, and none can be booked', async () => {
  configure('backend = none');
  expect(await leases('alice', 'check')).toMatchObject({ code: 0, stdout: 'no lease is needed here: leases.backend is none\n' });
  expect(await leases('alice', 'list')).toMatchObject({ code: 4, stderr: expect.stringContaining('leases.backend is none') });
});
