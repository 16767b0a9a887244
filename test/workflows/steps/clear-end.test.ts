import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test, onTestFinished } from 'vitest';
import type { EventBody } from '../../../src/events/types.js';
import { openTelnet, type TelnetSession } from '../../../src/telnet/session.js';
import { builtinShell } from '../../../src/testbed/builtin-shell.js';
import { diskPrograms } from '../../../src/testbed/disk-programs.js';
import { realShell } from '../../../src/testbed/real-shell.js';
import { findShell, type ShellCandidate } from '../../../src/testbed/shell-program.js';
import type { OpenShell } from '../../../src/testbed/shell.js';
import { TelnetSession as Served } from '../../../src/testbed/telnet-session.js';
import { systemHost } from '../../../src/util/host.js';
import { clearEnd, wrongSectors } from '../../../src/workflows/steps/clear-end.js';
import { fanOut } from '../../../src/engine/fan-out.js';
import type { NodeRun } from '../../../src/workflows/node-steps.js';
import { someNodes } from '../../helpers/nodes.js';

const MIB = 1024 * 1024;
const DEVICE = '/dev/sda';
const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

function scratch(): string {
  const folder = mkdtempSync(join(tmpdir(), 'imaging-clear-'));
  folders.push(folder);
  return folder;
}

/** Does `work` in the shell of a node; what was noted and warned. */
async function inShell(
  openShell: OpenShell,
  work: (node: NodeRun, telnet: TelnetSession, signal: AbortSignal) => Promise<unknown>,
): Promise<string[]> {
  const sessions = new Set<Served>();
  const server = createServer((socket) => sessions.add(new Served(socket, openShell)));
  server.listen(0, '127.24.0.2');
  await once(server, 'listening');
  onTestFinished(async () => {
    for (const session of sessions) session.kill();
    await new Promise((resolve) => server.close(resolve));
  });
  const events: EventBody[] = [];
  const options = {
    concurrency: 1,
    targetDeadlineMs: 60_000,
    firstStep: 'check',
    signal: new AbortController().signal,
    host: systemHost,
    emit: (event: EventBody) => void events.push(event),
  } as const;
  const [outcome] = await fanOut(someNodes(7, 7), options, async (node: NodeRun) => {
    const { port } = server.address() as AddressInfo; // a TCP server's address is never a string
    const telnet = await openTelnet({ host: '127.24.0.2', port, connectTimeoutMs: 5_000, firstByteTimeoutMs: 5_000, signal: node.signal });
    try {
      return await node.at('check', 60_000, (signal) => work(node, telnet, signal));
    } finally {
      telnet.close();
    }
  });
  expect(outcome).toMatchObject({ ok: true });
  return events.flatMap((event) => (event.type === 'target.note' ? [event.text] : []));
}

function real(diskPath: string, candidate?: ShellCandidate): OpenShell {
  const own = scratch();
  const program = findShell(systemHost, own, ...(candidate ? [[candidate]] : []));
  return realShell({
    host: systemHost,
    program,
    programs: new Map(),
    uptimeSeconds: () => 1,
    folder: join(own, 'sessions'),
    hostname: 'fit07',
    diskPath,
  });
}

const shells: [string, (diskPath: string) => OpenShell][] = [
  ['the built-in shell', (path) => builtinShell(new Map(diskPrograms(path)))],
  ['the shell found here', (path) => real(path)],
];
const hasBusybox = (process.env.PATH ?? '').split(':').some((dir) => existsSync(join(dir, 'busybox')));
if (hasBusybox) shells.push(['busybox', (path) => real(path, ['busybox', ['sh', '-i']])]);

test.each(shells)('with %s: the last MiB of the disk is cleared as far as it lies behind the image, and nothing else', async (_, make) => {
  const disk = join(scratch(), 'disk.img');
  for (const [imageBytes, clearedFrom] of [
    [2 * MIB, 3 * MIB],
    [4 * MIB - 8192, 4 * MIB - 8192],
    [4 * MIB, 4 * MIB],
    [5 * MIB, 4 * MIB],
  ] as const) {
    const content = Buffer.alloc(4 * MIB, 'an older system');
    await writeFile(disk, content);
    const notes = await inShell(make(disk), (node, telnet, signal) =>
      clearEnd(node, telnet, { device: DEVICE, imageSectors: imageBytes / 512, stallMs: 20_000 }, signal),
    );
    expect(Buffer.compare(await readFile(disk), content.fill(0, clearedFrom))).toBe(0);
    expect(notes).toEqual(
      clearedFrom === 4 * MIB
        ? []
        : [`cleared sectors ${clearedFrom / 512} to ${(4 * MIB) / 512 - 1}, the end of /dev/sda behind the image`],
    );
  }
});

test('a shell that does not tell the size: nothing is written, a note', async () => {
  const disk = join(scratch(), 'disk.img');
  await writeFile(disk, 'untouched');
  const programs = diskPrograms(disk).filter(([name]) => name !== 'blockdev');
  const notes = await inShell(builtinShell(new Map(programs)), (node, telnet, signal) =>
    clearEnd(node, telnet, { device: DEVICE, imageSectors: 1, stallMs: 20_000 }, signal),
  );
  expect(notes).toEqual([expect.stringContaining('nobody on fit07 tells the size of /dev/sda')]);
  expect(await readFile(disk, 'utf8')).toBe('untouched');
});

test("a table for other sectors than the disk's is told", async () => {
  const disk = join(scratch(), 'disk.img');
  await writeFile(disk, Buffer.alloc(4096));
  const said: (string | null)[] = [];
  await inShell(builtinShell(new Map(diskPrograms(disk))), async (node, telnet, signal) => {
    for (const bytes of [512, 4096]) said.push(await wrongSectors(node, telnet, { device: DEVICE, stallMs: 20_000 }, bytes, signal));
  });
  expect(said).toEqual([
    null,
    "fit07: /dev/sda has sectors of 512 bytes, and the image's partition table is for 4096: it will not be found",
  ]);
});
