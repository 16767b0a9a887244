import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, readdirSync, statSync, symlinkSync, writeFileSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { build } from 'esbuild';
import Database from 'libsql';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { LeaseBackend } from '../../src/leases/backend.js';
import { overlap } from '../../src/leases/lease.js';
import { createLocalLeases } from '../../src/leases/local.js';
import { Failure, UserError } from '../../src/util/errors.js';
import { scratch } from '../helpers/cli.js';
import { rejected } from '../helpers/thrown.js';
import { AT, fakeHost, HOUR, never } from './settings.js';

let folder: string;
let file: string;
let host: ReturnType<typeof fakeHost>;
let leases: LeaseBackend;
beforeEach(() => {
  folder = join(scratch(), 'leases');
  file = join(folder, 'leases.db');
  host = fakeHost();
  leases = createLocalLeases({ file, timeoutMs: 5_000 }, host);
});

const book = (owner: string, fromMs: number, untilMs: number, nodes: string[] | null = null) =>
  leases.book({ owner, fromMs, untilMs, nodes }, never);

describe('the file', () => {
  test('is not made by listing', async () => {
    expect(await leases.list(0, never)).toEqual({ leases: [], unreadable: 0 });
    expect(existsSync(folder)).toBe(false);
  });

  test('keeps what is booked, with every field, and nothing lies beside it', async () => {
    const made = await book('alice', AT, AT + HOUR, ['fit01', 'fit02']);
    await book('bob', AT + HOUR, AT + 2 * HOUR);
    expect(await createLocalLeases({ file, timeoutMs: 5_000 }, host).list(0, never)).toEqual({
      leases: [
        { id: made.id, owner: 'alice', fromMs: AT, untilMs: AT + HOUR, nodes: ['fit01', 'fit02'] },
        { id: '2', owner: 'bob', fromMs: AT + HOUR, untilMs: AT + 2 * HOUR, nodes: null },
      ],
      unreadable: 0,
    });
    expect(readdirSync(folder)).toEqual(['leases.db']);
  });

  test('lists what ends after a moment', async () => {
    await book('alice', AT, AT + HOUR);
    expect((await leases.list(AT + HOUR - 1, never)).leases).toHaveLength(1);
    expect((await leases.list(AT + HOUR, never)).leases).toHaveLength(0);
  });

  test.each([0o2775, 0o755, 0o700])('in a folder of mode %o has its permissions', async (mode) => {
    mkdirSync(folder);
    chmodSync(folder, mode);
    await book('alice', AT, AT + HOUR);
    expect((statSync(file).mode & 0o777).toString(8)).toBe((mode & 0o666).toString(8));
  });

  test('that is something else is refused, and stays as it is', async () => {
    mkdirSync(folder);
    writeFileSync(file, 'precious '.repeat(1_000));
    expect(await rejected(UserError, book('alice', AT, AT + HOUR))).toMatchObject({
      kind: 'environment',
      message: expect.stringContaining('no file of leases'),
    });
    expect(await rejected(UserError, leases.list(0, never))).toMatchObject({ kind: 'environment' });
    expect(statSync(file).size).toBe(9_000);
  });

  test('is not used through a link, and is no folder', async () => {
    mkdirSync(folder);
    symlinkSync(join(folder, 'elsewhere'), file);
    expect(await rejected(UserError, book('alice', AT, AT + HOUR))).toMatchObject({
      kind: 'environment',
      message: expect.stringContaining('not a regular file'),
    });
    expect(existsSync(join(folder, 'elsewhere'))).toBe(false);
    expect(await rejected(UserError, createLocalLeases({ file: folder, timeoutMs: 1 }, host).list(0, never))).toMatchObject({
      kind: 'environment',
    });
  });

  test('of a later version is left alone', async () => {
    await book('alice', AT, AT + HOUR);
    const db = new Database(file);
    db.exec('PRAGMA user_version = 9');
    db.close();
    expect(await rejected(UserError, leases.list(0, never))).toMatchObject({
      kind: 'environment',
      message: expect.stringContaining('later version'),
    });
    expect(await rejected(UserError, book('bob', AT + HOUR, AT + 2 * HOUR))).toMatchObject({ kind: 'environment' });
  });

  test('that another process keeps is waited for, then given up; reading goes on', async () => {
    await book('alice', AT, AT + HOUR);
    const other = new Database(file);
    other.exec('BEGIN IMMEDIATE');
    const waiting = rejected(Failure, book('bob', AT + HOUR, AT + 2 * HOUR));
    host.advance(5_001);
    expect(await waiting).toMatchObject({ code: 'lease-file-busy', message: expect.stringContaining('5 s') });
    expect((await leases.list(0, never)).leases).toHaveLength(1);
    const patient = book('bob', AT + HOUR, AT + 2 * HOUR);
    other.exec('ROLLBACK');
    other.close();
    expect(await patient).toMatchObject({ owner: 'bob' });
  });

  test.each([384, 4096, 12_000, Infinity])('that lost its last %d bytes says so, instead of that nobody has a lease', async (bytes) => {
    for (let n = 0; n < 80; n += 1) await book('alice', AT + n * HOUR, AT + (n + 1) * HOUR);
    const left = Math.max(0, statSync(file).size - bytes);
    truncateSync(file, left);
    expect(await rejected(UserError, leases.list(0, never))).toMatchObject({
      kind: 'environment',
      message: expect.stringContaining('damaged'),
      hint: expect.stringContaining('backup'),
    });
    expect(await rejected(UserError, book('bob', AT, AT + HOUR))).toMatchObject({ kind: 'environment' });
    expect(statSync(file).size).toBe(left);
  });

  test('rows that make no sense are counted', async () => {
    await book('alice', AT, AT + HOUR);
    const db = new Database(file);
    db.exec(
      "INSERT INTO lease (owner, from_ms, until_ms, nodes, booked_by, booked_ms) VALUES ('x', 1, 2, '[5]', 'x', 0), ('x', 1, 2, 'fit01', 'x', 0)",
    );
    db.close();
    expect(await leases.list(0, never)).toMatchObject({ leases: [{ owner: 'alice' }], unreadable: 2 });
  });
});

describe('overlap', () => {
  const one = { fromMs: 10, untilMs: 20 };
  test.each([
    ['the same time', { fromMs: 10, untilMs: 20 }, true],
    ['around it', { fromMs: 0, untilMs: 30 }, true],
    ['inside', { fromMs: 14, untilMs: 15 }, true],
    ['over its beginning', { fromMs: 5, untilMs: 11 }, true],
    ['over its end', { fromMs: 19, untilMs: 25 }, true],
    ['up to its beginning', { fromMs: 5, untilMs: 10 }, false],
    ['from its end on', { fromMs: 20, untilMs: 25 }, false],
  ])('%s', (_, other, expected) => {
    for (const [a, b] of [
      [null, null],
      [['fit01'], null],
      [null, ['fit01']],
      [
        ['fit01', 'fit02'],
        ['fit02', 'fit03'],
      ],
    ] as const) {
      expect(overlap({ ...one, nodes: a }, { ...other, nodes: b })).toBe(expected);
      expect(overlap({ ...other, nodes: b }, { ...one, nodes: a })).toBe(expected);
    }
    expect(overlap({ ...one, nodes: ['fit01'] }, { ...other, nodes: ['fit02'] })).toBe(false);
    expect(overlap({ ...one, nodes: [] }, { ...other, nodes: null })).toBe(false);
  });
});

describe('book and cancel', () => {
  test('refuses what overlaps, and says who has what when', async () => {
    await book('bob', AT, AT + HOUR, ['fit01', 'fit02']);
    const error = await rejected(UserError, book('alice', AT + HOUR / 2, AT + 2 * HOUR, ['fit02', 'fit03']));
    expect(error).toMatchObject({
      kind: 'refused',
      message: expect.stringMatching(/^not free at that time: bob has fit02 from .* until .* \(lease 1\)$/),
    });
    expect(await rejected(UserError, book('bob', AT, AT + HOUR))).toMatchObject({
      message: expect.stringContaining('bob has fit01 fit02'),
    });
    expect((await leases.list(0, never)).leases).toHaveLength(1);
    await book('alice', AT, AT + HOUR, ['fit03']);
  });

  test('a lease to come goes, and its time is free', async () => {
    const { id } = await book('alice', AT + HOUR, AT + 2 * HOUR);
    await leases.cancel(id, 'alice', never);
    expect((await leases.list(0, never)).leases).toEqual([]);
    expect((await book('bob', AT + HOUR, AT + 2 * HOUR)).id).not.toBe(id); // no number is used twice
  });

  test('a lease that runs ends now, and is remembered', async () => {
    const { id } = await book('alice', AT - HOUR, AT + HOUR);
    await leases.cancel(id, 'alice', never);
    expect((await leases.list(0, never)).leases).toMatchObject([{ id, untilMs: AT }]);
    await book('bob', AT, AT + HOUR);
    expect(await rejected(UserError, leases.cancel(id, 'alice', never))).toMatchObject({
      kind: 'usage',
      message: expect.stringContaining('ended at'),
    });
  });

  test("somebody else's lease is refused, but for the privileged", async () => {
    const { id } = await book('bob', AT + HOUR, AT + 2 * HOUR);
    expect(await rejected(UserError, leases.cancel(id, 'alice', never))).toMatchObject({
      kind: 'refused',
      message: `lease ${id} belongs to bob`,
    });
    await leases.cancel(id, null, never);
    expect((await leases.list(0, never)).leases).toEqual([]);
  });

  test.each(['7', '', 'x', '1; DROP TABLE lease', '99999999999999999999'])('there is no lease %j', async (id) => {
    await book('alice', AT, AT + HOUR);
    expect(await rejected(UserError, leases.cancel(id, null, never))).toMatchObject({ kind: 'usage' });
    expect((await leases.list(0, never)).leases).toHaveLength(1);
  });

  test('the signal ends it', async () => {
    const reason = new Error('enough');
    await expect(leases.book({ owner: 'alice', fromMs: AT, untilMs: AT + HOUR, nodes: null }, AbortSignal.abort(reason))).rejects.toBe(
      reason,
    );
  });
});

describe('many processes', () => {
  let program: string;
  beforeAll(async () => {
    program = join(scratch(), 'booker.mjs');
    await build({
      entryPoints: [join(import.meta.dirname, 'booker.ts')],
      bundle: true,
      platform: 'node',
      format: 'esm',
      outfile: program,
      logLevel: 'error',
      external: ['libsql'],
      plugins: [libsqlHere],
    });
  });

  type Booker = { child: ChildProcess; say(line: string): void; hear(): Promise<string>; ended: Promise<unknown> };
  function booker(owner: string): Booker {
    const child = spawn(process.execPath, [program, file, owner], { stdio: ['pipe', 'pipe', 'inherit'] });
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    child.stdin.on('error', () => {}); // it may have been killed
    return {
      child,
      say: (line) => void child.stdin.write(`${line}\n`),
      hear: async () => String((await lines.next()).value),
      ended: once(child, 'exit'),
    };
  }

  test('twenty book overlapping times on a new file, some are killed meanwhile: nothing overlaps, nothing is lost', async () => {
    const bookers = Array.from({ length: 20 }, (_, index) => booker(`user${index}`));
    await Promise.all(bookers.map((one) => one.hear())); // 'ready'
    // at first all want the same; then windows of two hours that begin each hour, on one of two nodes
    const orders = [
      `${AT} ${AT + HOUR} 0`,
      ...Array.from({ length: 5 }, (_, index) => `${AT + (1 + index) * HOUR} ${AT + (3 + index) * HOUR} ${1 + (index % 2)}`),
    ];
    const answers = await Promise.all(
      bookers.map(async (one, index) => {
        // everybody in another order
        const own = [orders[0] ?? '', ...orders.slice(1).map((_, at) => orders[1 + ((at + index) % (orders.length - 1))] ?? '')];
        const heard: string[] = [];
        for (const order of own) {
          one.say(order);
          if (index >= 17 && heard.length === 2) one.child.kill('SIGKILL');
          const answer = await one.hear();
          if (answer === 'undefined') break; // killed
          heard.push(answer);
        }
        return heard;
      }),
    );
    for (const one of bookers) one.child.stdin?.end();
    await Promise.all(bookers.map((one) => one.ended));
    const heard = answers.flat();
    expect([...new Set(heard)].sort()).toEqual(['booked', 'refused']);
    expect(answers.filter(([first]) => first === 'booked')).toHaveLength(1);
    const { leases: kept, unreadable } = await leases.list(0, never);
    const clashes = kept.flatMap((lease, index) => kept.slice(index + 1).filter((other) => overlap(lease, other)));
    expect(clashes).toEqual([]);
    expect(unreadable).toBe(0);
    // a process that was killed may have booked without having said so
    expect(kept.length).toBeGreaterThanOrEqual(heard.filter((answer) => answer === 'booked').length);
    expect(kept.length).toBeLessThanOrEqual(heard.filter((answer) => answer === 'booked').length + 3);
    expect(kept.length).toBeGreaterThanOrEqual(4);
    await book('late', AT + 100 * HOUR, AT + 101 * HOUR);
    expect(readdirSync(folder)).toEqual(['leases.db']); // the journal of who was killed is gone
  }, 60_000);
});

/** The bundle is in a temporary folder: it finds libsql by its path. */
const libsqlHere = {
  name: 'libsql-here',
  setup: (builder: { onResolve(options: { filter: RegExp }, found: () => { path: string; external: boolean }): void }) =>
    builder.onResolve({ filter: /^libsql$/ }, () => ({
      path: join(import.meta.dirname, '../../node_modules/libsql/index.js'),
      external: true,
    })),
};
