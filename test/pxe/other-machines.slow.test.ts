// Holders and judges in real processes whose clock is wrong, that see another machine than this one, or are careful.
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { build } from 'esbuild';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createLinks } from '../../src/pxe/links.js';
import { systemHost } from '../../src/util/host.js';
import { thisMachine } from '../../src/util/machine.js';

const MAC = '00:03:1d:0e:03:53';
const RECORD = '.imaging-01-00-03-1d-0e-03-53.json';

let program: string;
let programs: string;
beforeAll(async () => {
  programs = mkdtempSync(join(tmpdir(), 'imaging-machines-'));
  program = join(programs, 'racer.mjs');
  await build({
    entryPoints: [join(import.meta.dirname, 'racer.ts')],
    bundle: true,
    platform: 'node',
    format: 'esm',
    outfile: program,
    logLevel: 'error',
  });
});
afterAll(() => rmSync(programs, { recursive: true, force: true }));

let folder: string;
const ends: (() => Promise<void>)[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'imaging-pxe-'));
});
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
  rmSync(folder, { recursive: true, force: true });
});

/** A process that holds and judges nodes, started by the words before it. Returns how to tell it something and hear its answer. */
async function racer(...before: string[]): Promise<(order: string) => Promise<string>> {
  const [command = '', ...args] = [...before, process.execPath, program, folder, MAC];
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'], cwd: '/' });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  ends.push(async () => {
    child.stdin.end();
    await exited;
  });
  expect(String((await lines.next()).value)).toBe('ready');
  return async (order) => {
    child.stdin.write(`${order}\n`);
    return String((await lines.next()).value);
  };
}

/** We ourselves, on another machine with the same host name. */
function otherMachine() {
  const machine = { ...thisMachine(), id: 'other', bootId: 'other' };
  return createLinks({ configDir: folder, target: 'pxefrisbee', host: { ...systemHost, machine: () => machine }, run: 'elsewhere' });
}

function silent(seconds: number): void {
  const at = new Date(Date.now() - seconds * 1000);
  utimesSync(join(folder, RECORD), at, at);
}

const noFaketime = spawnSync('faketime', ['-f', '+1d', 'true']).status === 0 ? '' : ' (skipped: needs faketime)';

describe.skipIf(noFaketime !== '')(`a clock that is wrong${noFaketime}`, () => {
  test.each(['-10m', '+10m'])('of a holder, by %s, costs it nothing, and keeps nobody waiting when it is gone', async (offset) => {
    const holder = await racer('faketime', '-f', offset);
    expect(await holder('place')).toBe('placed');
    silent(301);
    expect(await holder('beat')).toBe('beaten');
    writeFileSync(join(folder, 'now'), '');
    expect(Math.abs(statSync(join(folder, RECORD)).mtimeMs - statSync(join(folder, 'now')).mtimeMs)).toBeLessThan(60_000);
    await expect(otherMachine().claim(MAC, 'fit07')).rejects.toMatchObject({ code: 'node-busy' });
    expect(await otherMachine().sweep()).toEqual([]);
  });

  test.each(['-10m', '+10m'])('of who judges, by %s, neither robs a live holder nor believes a dead one', async (offset) => {
    await otherMachine().claim(MAC, 'fit07');
    const judge = await racer('faketime', '-f', offset);
    silent(200);
    expect(await judge('place')).toBe('node-busy');
    expect(await judge('sweep')).toBe('swept 0');
    silent(301);
    const another = await racer('faketime', '-f', offset);
    expect(await another('place')).toBe('placed');
  });
});

test('a record is there for everybody to read, whatever the umask of its owner', async () => {
  const careful = await racer('sh', '-c', 'umask 077 && exec "$@"', 'sh');
  expect(await careful('place')).toBe('placed');
  expect(statSync(join(folder, RECORD)).mode & 0o777).toBe(0o644);
});

/** Two processes of this host that see different boots, as on two machines with one host name. */
const OTHER_BOOT = ['unshare', '-m', 'sh', '-c', 'mount --bind "$0" /proc/sys/kernel/random/boot_id && exec "$@"'];
const bootFile = join(tmpdir(), `imaging-boot-id-${process.pid}`);
writeFileSync(bootFile, 'aaaaaaaa-0000-0000-0000-000000000001\n');
afterAll(() => rmSync(bootFile, { force: true }));
const noMounts =
  spawnSync(OTHER_BOOT[0] ?? '', [...OTHER_BOOT.slice(1), bootFile, 'true']).status === 0
    ? ''
    : ' (skipped: needs root and mount namespaces)';
const OTHER_PIDS = ['unshare', '-pf', '--mount-proc', '--kill-child'];
const noPids =
  spawnSync(OTHER_PIDS[0] ?? '', [...OTHER_PIDS.slice(1), 'true']).status === 0 ? '' : ' (skipped: needs root and pid namespaces)';

test.skipIf(noMounts !== '')(`another boot under the same host name is another machine${noMounts}`, async () => {
  const here = await racer();
  const there = await racer(...OTHER_BOOT, bootFile);
  expect(await here('place')).toBe('placed');
  expect(await there('place')).toBe('node-busy');
  expect(await there('sweep')).toBe('swept 0');
});

test.skipIf(noPids !== '')(`another container of the same boot under the same host name is looked at from outside${noPids}`, async () => {
  const [inside, outside] = [await racer(...OTHER_PIDS), await racer()];
  expect(await inside('place')).toBe('placed');
  expect(await outside('place')).toBe('node-busy');
  expect(await outside('sweep')).toBe('swept 0');
  silent(61);
  expect(await (await racer())('place')).toBe('placed');
});
