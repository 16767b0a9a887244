import { randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, rmSync, unlinkSync } from 'node:fs';
import { open, readFile, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, afterAll, describe, expect, test } from 'vitest';
import type { EventBody } from '../../../src/events/types.js';
import { seededRandom } from '../../../src/util/random.js';
import { ImageDigests } from '../../../src/ndz/check/image-digests.js';
import { writeImage } from '../../../src/ndz/write/writer.js';
import { openTelnet } from '../../../src/telnet/session.js';
import { builtinShell } from '../../../src/testbed/builtin-shell.js';
import { diskPrograms } from '../../../src/testbed/disk-programs.js';
import { realShell } from '../../../src/testbed/real-shell.js';
import { findShell, type ShellCandidate } from '../../../src/testbed/shell-program.js';
import type { OpenShell } from '../../../src/testbed/shell.js';
import { TelnetSession } from '../../../src/testbed/telnet-session.js';
import { systemHost } from '../../../src/util/host.js';
import { fanOut } from '../../../src/engine/fan-out.js';
import type { NodeRun } from '../../../src/workflows/node-steps.js';
import { maxPiecesPerLine } from '../../../src/workflows/steps/read-back-shell.js';
import type { Verification } from '../../../src/events/results.js';
import { verifyWrite } from '../../../src/workflows/steps/verify-write.js';
import { findBusyboxTelnetd, scripted, serve, startTelnetd } from '../../telnet/servers.js';
import { someNodes } from '../../helpers/nodes.js';

const DEVICE = '/dev/sda';
const FULL = { mode: 'full', maxPieces: maxPiecesPerLine(DEVICE), random: seededRandom(1), signal: new AbortController().signal } as const;

let folder: string;
let image: string;
let content: Buffer;
let digests: ImageDigests;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'imaging-verify-'));
  [image, content] = [join(folder, 'x.ndz'), randomBytes(3 * 1024 * 1024 + 77)];
  await writeFile(join(folder, 'raw'), content);
  const ranges = [
    ...Array.from({ length: 40 }, (_, i) => ({ startSector: i * 150, endSector: i * 150 + 90 + i })),
    { startSector: 6_100, endSector: 6_145 },
  ];
  await writeImage(join(folder, 'raw'), image, { ranges });
  digests = await ImageDigests.open(image, FULL); // nodes share it
});
afterAll(async () => {
  await digests.close();
  rmSync(folder, { recursive: true, force: true });
});

const cleanup: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const undo of cleanup.splice(0).reverse()) await undo();
});

/** The disk of a node that has received the image, with `wrong` bytes turned. */
async function disk(...wrong: number[]): Promise<string> {
  const path = join(mkdtempSync(join(folder, 'node-')), 'disk.img');
  const bytes = Buffer.from(content);
  for (const at of wrong) bytes[at] = (bytes[at] ?? 0) ^ 0x20;
  await writeFile(path, bytes);
  return path;
}

async function ramdisk(openShell: OpenShell): Promise<{ host: string; port: number }> {
  const sessions = new Set<TelnetSession>();
  const server: Server = createServer((socket) => sessions.add(new TelnetSession(socket, openShell)));
  server.listen(0, '127.24.0.1');
  await once(server, 'listening');
  cleanup.push(async () => {
    for (const session of sessions) session.kill();
    await new Promise((resolve) => server.close(resolve));
  });
  return { host: '127.24.0.1', port: (server.address() as AddressInfo).port }; // a TCP server's address is never a string
}

type Result = { events: EventBody[]; verdict: Verification | null; failure: { code: string; message: string } | null };

async function verify(
  target: { host: string; port: number },
  more: { mode?: 'sample' | 'full'; device?: string; stallMs?: number; signal?: AbortSignal; digests?: ImageDigests } = {},
): Promise<Result> {
  const events: EventBody[] = [];
  const { mode = 'full', device = DEVICE, stallMs = 20_000, signal = new AbortController().signal } = more;
  const options = {
    concurrency: 1,
    targetDeadlineMs: 60_000,
    firstStep: 'verify',
    signal,
    host: systemHost,
    emit: (event: EventBody) => void events.push(event),
  } as const;
  const [outcome] = await fanOut(someNodes(7, 7), options, async (node: NodeRun) => {
    const telnet = await openTelnet({ ...target, connectTimeoutMs: 5_000, firstByteTimeoutMs: 5_000, signal: node.signal });
    try {
      return await node.at('verify', 60_000, (inner) =>
        verifyWrite(node, telnet, { mode, device, digests: Promise.resolve(more.digests ?? digests), stallMs }, inner),
      );
    } finally {
      telnet.close();
    }
  });
  return { events, verdict: outcome?.ok === true ? outcome.value : null, failure: outcome?.ok === false ? outcome.failure : null };
}

function real(diskPath: string, candidate?: ShellCandidate): { shell: OpenShell; toolbox: string; diskTools: string } {
  const own = mkdtempSync(join(folder, 'shell-'));
  const program = candidate ? findShell(systemHost, own, [candidate]) : findShell(systemHost, own);
  const shell = realShell({
    host: systemHost,
    program,
    programs: new Map(),
    uptimeSeconds: () => 1,
    folder: join(own, 'sessions'),
    hostname: 'fit07',
    diskPath,
  });
  return { shell, toolbox: program.toolbox, diskTools: program.diskTools };
}

const shells: [string, (diskPath: string) => OpenShell][] = [
  ['the built-in shell', (path) => builtinShell(new Map(diskPrograms(path)))],
  ['the shell found here', (path) => real(path).shell],
];
for (const other of [
  ['busybox', ['sh', '-i']],
  ['dash', ['-i']],
] satisfies ShellCandidate[]) {
  const found = (process.env.PATH ?? '').split(':').some((dir) => existsSync(join(dir, other[0])));
  if (found) shells.push([other[0], (path) => real(path, other).shell]);
  else process.stderr.write(`skipped: reading back with ${other[0]}, which is not here\n`);
}

describe.each(shells)('with %s', (_, make) => {
  test('a disk that holds the image is found to, and its progress is told', async () => {
    const { events, verdict, failure } = await verify(await ramdisk(make(await disk(100 * 512 - 1, 1_460 * 512)))); // both free space
    expect(failure).toBeNull();
    expect(verdict).toMatchObject({ verified: true, mode: 'full', bytes: 2_265_165, ofBytes: 2_265_165, fromMemory: false });
    const progress = events.flatMap((event) => (event.type === 'target.progress' ? [event.doneBytes] : []));
    expect(progress.length).toBeGreaterThan(1);
    expect(progress).toEqual([...progress].sort((a, b) => a - b));
    const total = events.find((event) => event.type === 'target.progress');
    expect(progress.at(-1)).toBe(total?.type === 'target.progress' ? total.totalBytes : 0);
  });

  test('a byte that is wrong is found wherever it is, and its sector', async () => {
    const wrong = await disk();
    const target = await ramdisk(make(wrong));
    for (const at of [0, 1_500 * 512 + 511, 5_850 * 512 + 128 * 512 + 511, 3 * 1024 * 1024 + 76]) {
      const bytes = Buffer.from(content);
      bytes[at] = (bytes[at] ?? 0) ^ 0x20;
      await writeFile(wrong, bytes);
      const { failure } = await verify(target);
      expect(failure?.code).toBe('verify-mismatch');
      const sector = Math.floor(at / 512);
      expect(failure?.message).toMatch(
        new RegExp(
          `^${Math.min(512, content.byteLength - sector * 512)} bytes from byte ${sector * 512} on \\(sector ${sector}\\) are not what the image has there; 1 of the \\d+ ranges compared differ$`,
        ),
      );
    }
  });
});

test('a disk whose end cannot be read is told as such, with how many ranges', async () => {
  const path = await disk();
  const handle = await open(path, 'r+');
  await handle.truncate(4_000 * 512 + 100);
  await handle.close();
  const { failure } = await verify(await ramdisk(real(path).shell));
  expect(failure?.code).toBe('verify-mismatch');
  expect(failure?.message).toMatch(/sector 4000\).*; [2-9] of the \d+ ranges/);
});

test('falls back from one digest program to the next, down to cksum', async () => {
  const { shell, toolbox } = real(await disk());
  const target = await ramdisk(shell);
  for (const name of ['sha1sum', 'sha256sum', 'md5sum']) {
    unlinkSync(join(toolbox, name));
    expect((await verify(target)).verdict, `without ${name}`).toMatchObject({ verified: true });
  }
  const wrong = real(await disk(3_000 * 512));
  for (const name of ['sha1sum', 'sha256sum', 'md5sum']) unlinkSync(join(wrong.toolbox, name));
  expect((await verify(await ramdisk(wrong.shell))).failure?.message).toMatch(/\(sector 3000\)/);
});

test.each(['digest', 'dd'])('without %s programs a sample is left out and says so, and full is a failure', async (what) => {
  const { shell, toolbox, diskTools } = real(await disk(0));
  for (const name of ['sha1sum', 'sha256sum', 'md5sum', 'cksum']) if (what === 'digest') unlinkSync(join(toolbox, name));
  if (what === 'dd') unlinkSync(join(diskTools, 'dd'));
  const target = await ramdisk(shell);
  const { verdict, events } = await verify(target, { mode: 'sample' });
  const missing = what === 'dd' ? 'dd' : 'sha1sum, sha256sum, md5sum or cksum';
  const text = `not verified: the PXE system of fit07 has no ${missing}`;
  expect(verdict).toEqual({ verified: false, missing });
  expect(events.filter((event) => event.type === 'target.note')).toEqual([{ type: 'target.note', target: 'fit07', step: 'verify', text }]);
  expect((await verify(target, { mode: 'full' })).failure).toMatchObject({ code: 'verify-impossible', message: text });
});

test('a device that is not there is a failure of its own', async () => {
  expect((await verify(await ramdisk(real(await disk()).shell), { device: '/dev/sdz' })).failure).toMatchObject({
    code: 'verify-unreadable',
    message: expect.stringMatching(/cannot read it: .*sdz.*No such file/),
  });
});

describe('a shell that behaves badly', () => {
  /** Answers the questions before the first reading as a good shell would; `answer` is the rest. */
  const after = (answer: (status: (value: number) => string) => string) => {
    let asked = 0;
    return scripted(
      (status, socket) => void socket.write(++asked <= 3 ? `da39a3ee5e6b4b0d3255bfef95601890afd80709  -\r\n${status(0)}` : answer(status)),
    );
  };
  const listening = async (onSocket: Parameters<typeof serve>[0]) => {
    const server = await serve(onSocket, '127.24.0.2');
    cleanup.push(() => server.close());
    return server;
  };

  test('too few digests are no verdict on the disk', async () => {
    const { failure } = await verify(await listening(after((status) => `${'0'.repeat(40)}  -\r\nsh: out of memory\r\n${status(0)}`)));
    expect(failure).toMatchObject({
      code: 'verify-failed',
      message: expect.stringMatching(/printed 1 digests instead of \d+; the last words: "sh: out of memory"/),
    });
  });

  test('silence ends it', async () => {
    expect((await verify(await listening(after(() => '')), { stallMs: 80 })).failure?.code).toBe('telnet-stalled');
  });

  test('an interrupt ends it at once', async () => {
    const controller = new AbortController();
    const { failure } = await verify(await listening(after(() => (controller.abort(new Error('stop')), ''))), {
      signal: controller.signal,
    });
    expect(failure?.message).toContain('stop');
  });

  test('what is wrong once and right when read again is not taken for good', async () => {
    let isFirst = true;
    const spoilt: OpenShell = (listener) =>
      real(diskPath).shell({
        ...listener,
        output: (bytes) => {
          const text = bytes.toString('latin1');
          const isDigest = /^[0-9a-f]{40} {2}-/.test(text) && !text.startsWith('da39a3ee');
          listener.output(isDigest && isFirst ? Buffer.from(`${text[0] === '0' ? '1' : '0'}${text.slice(1)}`, 'latin1') : bytes);
          if (isDigest) isFirst = false;
        },
      });
    const diskPath = await disk();
    expect((await verify(await ramdisk(spoilt))).failure).toMatchObject({
      code: 'verify-mismatch',
      message: expect.stringMatching(/were wrong once and right when read again; 1 of the/),
    });
  });
});

// the line editing of a real busybox: a limit for lines, echo, prompts
const busybox = findBusyboxTelnetd();
if (!busybox)
  process.stderr.write('skipped: reading back over a real telnetd, as no busybox with a telnetd is here (set BUSYBOX=/path/to/busybox)\n');
test.skipIf(!busybox)('over a real busybox telnetd and ash', async () => {
  const startup = join(folder, 'startup');
  await writeFile(startup, 'blockdev() { :; }\nsync() { :; }\n'); // the test must not empty this machine's caches
  const telnetd = await startTelnetd(busybox ?? '', `env ENV=${startup} ${busybox} sh`, '127.24.0.3');
  cleanup.push(() => telnetd.close());
  const device = await disk();
  const own = await ImageDigests.open(image, { ...FULL, maxPieces: maxPiecesPerLine(device) });
  cleanup.push(() => own.close());
  expect((await verify(telnetd, { device, digests: own })).verdict).toMatchObject({
    verified: true,
    mode: 'full',
    bytes: 2_265_165,
    ofBytes: 2_265_165,
    fromMemory: false,
  });
  const bytes = await readFile(device);
  bytes[4_000_000 % bytes.byteLength] = (bytes[4_000_000 % bytes.byteLength] ?? 0) ^ 1;
  await writeFile(device, bytes);
  expect((await verify(telnetd, { device, digests: own })).failure?.code).toBe('verify-mismatch');
});
