import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text as readAll } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { builtinShell } from '../../src/testbed/builtin-shell.js';
import { INTERRUPTED_STATUS, type Program, type Programs } from '../../src/testbed/program.js';
import { realShell } from '../../src/testbed/real-shell.js';
import { findShell, type ShellCandidate } from '../../src/testbed/shell-program.js';
import { TelnetSession } from '../../src/testbed/telnet-session.js';
import type { OpenShell } from '../../src/testbed/shell.js';
import { systemHost } from '../../src/util/host.js';
import { RawTelnet, connectWhenUp } from './clients.js';

/** Stand-ins with the shape of the ramdisk's programs, so that what is seen is the shell's doing. */
const programs: Programs = new Map<string, Program>([
  [
    'frisbee',
    async (args, { stderr }) => {
      stderr.write(`got ${args.join('|')}\n`);
      return 7;
    },
  ],
  [
    'imagezip',
    async (_args, { stdout, stderr }) => {
      stderr.write('zipping\n');
      stdout.write(Buffer.alloc(300_000, 'z'));
      return 3;
    },
  ],
  [
    'nc',
    async (_args, { stdin, stdout }) => {
      stdout.write(`received ${(await readAll(stdin)).length}\n`);
      return 0;
    },
  ],
  ['forever', (_args, { signal }) => new Promise((resolve) => signal.addEventListener('abort', () => resolve(INTERRUPTED_STATUS)))],
]);

let folder: string;
let server: Server;
let sessions: Set<TelnetSession>;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'imaging-shells '));
  sessions = new Set();
});
afterEach(async () => {
  for (const session of sessions) session.kill();
  await new Promise((resolve) => server.close(resolve));
  rmSync(folder, { recursive: true });
});

async function open(openShell: OpenShell): Promise<RawTelnet> {
  server = createServer((socket) => sessions.add(new TelnetSession(socket, openShell)));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  return new RawTelnet(await connectWhenUp('127.0.0.1', typeof address === 'object' ? (address?.port ?? 0) : 0));
}

const real = (...candidates: ShellCandidate[]): OpenShell => {
  const program = candidates.length > 0 ? findShell(systemHost, folder, candidates) : findShell(systemHost, folder);
  return realShell({
    host: systemHost,
    program,
    programs,
    folder: join(folder, 'sessions'),
    hostname: 'fit01',
    diskPath: join(folder, 'disk.img'),
    uptimeSeconds: () => 5,
  });
};
const shown = (telnet: RawTelnet): string => telnet.text.replaceAll('\x1b[6n', '').replace(/^[^]*?\/ # /, '/ # ');

const shells: [string, () => OpenShell][] = [
  ['the built-in shell', () => builtinShell(programs)],
  ['the real shell found here', () => real()],
];
const others: ShellCandidate[] = [
  ['busybox', ['sh', '-i']],
  ['dash', ['-i']],
];
for (const other of others) {
  const found = (process.env.PATH ?? '').split(':').some((dir) => existsSync(join(dir, other[0])));
  if (found) shells.push([other[0], () => real(other)]);
}

describe.each(shells)('%s', (name, make) => {
  test('runs lines typed at once, before any prompt, and ends the connection at exit', async () => {
    const telnet = await open(make());
    telnet.type('frisbee -i 127.0.3.1 "a  b" /dev/sda\necho _TELNET_STATUS=$?\nexit\n');
    expect(await telnet.closed).toBe('end');
    expect(shown(telnet)).toBe(
      '/ # frisbee -i 127.0.3.1 "a  b" /dev/sda\r\ngot -i|127.0.3.1|a  b|/dev/sda\r\n/ # echo _TELNET_STATUS=$?\r\n_TELNET_STATUS=7\r\n/ # exit\r\n',
    );
  });

  test('reports the status behind a marker cut by quotes, on the same line', async () => {
    const telnet = await open(make());
    telnet.type('frisbee x; echo IMG_""STATUS_1=$?\r\n');
    await telnet.seen(/^IMG_STATUS_1=7\r\n\/ # /m);
    telnet.type('false; echo IMG_""STATUS_2=$?\nno-such-program; echo IMG_""STATUS_3=$?\n');
    await telnet.seen(/^IMG_STATUS_2=1\r$/m);
    await telnet.seen(/not found\r\n(.*\r\n)*IMG_STATUS_3=127\r$/m);
    telnet.socket.destroy();
  });

  test('breaks the echo of long lines at 80 columns until told the width', async () => {
    const telnet = await open(make());
    await telnet.seen(/# /);
    telnet.type(`echo ${'x'.repeat(90)}\n`);
    await telnet.seen(/x{90}\r\n/);
    expect(shown(telnet)).toContain(`/ # echo ${'x'.repeat(71)}\r\n${'x'.repeat(19)}\r\n`);
    telnet.type('\xff\xfb\x1f\xff\xfa\x1f\x03\xe8\x00\x19\xff\xf0');
    telnet.type(`echo ${'y'.repeat(90)}\n`);
    await telnet.seen(/y{90}\r\ny{90}\r\n/);
    telnet.socket.destroy();
  });

  test('stops a running program at Ctrl-C and goes on', async () => {
    const telnet = await open(make());
    telnet.type(name === 'the built-in shell' ? 'echo run""ning; forever\n' : 'sleep 1000 & echo run""ning; wait\n');
    await telnet.seen(/^running\r\n/m);
    telnet.type('\x03');
    telnet.type('echo AF""TER=$?\n');
    await telnet.seen(/AFTER=130\r/);
    telnet.socket.destroy();
  });

  test('refuses options it did not offer, and only those', async () => {
    const telnet = await open(make());
    telnet.type('\xff\xfb\x18\xff\xfd\x01\xff\xfd\x03\xff\xfd\x22');
    await telnet.seen(/\xff\xfe\x18\xff\xfc\x22/);
    telnet.socket.destroy();
  });

  test('survives a typist who never reads, and input without end', async () => {
    const telnet = await open(make());
    telnet.type(`${'x'.repeat(5000)}\n${'echo y; '.repeat(10)}\n\x00\x01\xff\xff\n\x1b[A\n`);
    telnet.type('echo AL""IVE\n');
    await telnet.seen(/ALIVE\r\n\/ # /);
    telnet.socket.destroy();
  });
});

describe.each(shells.slice(1))('%s with pipes', (name, make) => {
  test('gives programs real standard streams', async () => {
    const telnet = await open(make());
    telnet.type('imagezip -o /dev/sda - 2>/dev/null | nc 127.0.0.1 10001; echo LA""ST=$?\n');
    await telnet.seen(/^received 300000\r\nLAST=0\r/m);
    telnet.type('{ { imagezip -; echo "zip $?" >&3; } | nc x; } 3>&1\n');
    await telnet.seen(/zip 3\r/);
    telnet.type('set -o pipefail\n');
    await telnet.seen(/pipefail\r\n/);
    if (name !== 'dash') {
      telnet.type('imagezip - 2>/dev/null | nc x; echo PI""PE=$?\n');
      await telnet.seen(/PIPE=3\r/);
    }
    telnet.socket.destroy();
  });

  test("finds the node's own disk under its device's name, and no other device of this machine", async () => {
    writeFileSync(join(folder, 'disk.img'), 'THE DISK OF THE NODE');
    const telnet = await open(make());
    telnet.type(
      'dd if=/dev/sda bs=4 skip=1 count=2 2>/dev/null | cat; echo; cat /dev/sda; echo; head -c 8 /dev/sda; echo; sha1sum </dev/null\n',
    );
    await telnet.seen(/DISK OF \r\n.*THE DISK OF THE NODE\r\nTHE DISK\r\nda39a3ee/);
    telnet.type('dd if=/dev/sdb count=1; echo A""A=$?; dd if=/dev/sda of=/dev/sda; echo B""B=$?; cat /dev/nvme0n1; echo C""C=$?\n');
    await telnet.seen(/can't open '\/dev\/sdb'[^]*AA=1[^]*can't open '\/dev\/sda': Read-only[^]*BB=1[^]*nvme0n1[^]*CC=1/);
    expect(readFileSync(join(folder, 'disk.img'), 'utf8')).toBe('THE DISK OF THE NODE');
    telnet.type('blockdev --flushbufs /dev/sda && sync && echo D""D=$?; blockdev --flushbufs /dev/sdb; echo E""E=$?\n');
    await telnet.seen(/DD=0[^]*EE=1/);
    telnet.socket.destroy();
  });

  test('has only harmless programs, and leaves nothing running or lying about', async () => {
    const telnet = await open(make());
    telnet.type('mount /no/such /mnt; echo MO""UNT=$?\n(sleep 1000 & echo $! >pid; echo PID=$(cat pid)) \nsleep 2000 &\n');
    await telnet.seen(/MOUNT=127\r/);
    const [, pid] = await telnet.seen(/PID=(\d+)\r/);
    telnet.type('exit\n');
    await telnet.closed;
    await gone(Number(pid));
    expect(readdirSync(join(folder, 'sessions'))).toEqual([]);
  });

  test('is killed with its session', async () => {
    const telnet = await open(make());
    telnet.type('echo PID=$$; sleep 1000\n');
    const [, pid] = await telnet.seen(/PID=(\d+)\r/);
    for (const session of sessions) session.kill();
    expect(await telnet.closed).toBe('reset');
    await gone(Number(pid));
    expect(readdirSync(join(folder, 'sessions'))).toEqual([]);
  });
});

/** Resolves when a process is gone: it was killed, and init or we have to reap it. */
async function gone(pid: number): Promise<void> {
  for (;;) {
    try {
      process.kill(pid, 0);
      if (/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'latin1'))) return;
    } catch {
      return;
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
}
