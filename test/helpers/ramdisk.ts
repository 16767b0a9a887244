import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { afterEach } from 'vitest';
import { makeDemoImage } from '../../src/testbed/demo-image.js';
import { openTelnet, type TelnetSession as Telnet } from '../../src/telnet/session.js';
import { mountPrograms } from '../../src/testbed/mount-program.js';
import type { Program } from '../../src/testbed/program.js';
import { realShell } from '../../src/testbed/real-shell.js';
import { findShell, type ShellCandidate } from '../../src/testbed/shell-program.js';
import { TelnetSession } from '../../src/testbed/telnet-session.js';
import { systemHost, type Host } from '../../src/util/host.js';
import { scratch } from './cli.js';

const CANDIDATES: ShellCandidate[] = [
  ['bash', ['--norc', '--noprofile', '--noediting', '+o', 'history', '-i']],
  ['busybox', ['sh', '-i']],
  ['dash', ['-i']],
];
const inPath = (name: string): boolean => (process.env.PATH ?? '').split(':').some((dir) => existsSync(join(dir, name)));
/** The shells of this machine that a ramdisk can have. */
export const shellsHere = CANDIDATES.filter(([name]) => inPath(name));

const ends: (() => Promise<unknown> | void)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

/** A node's ramdisk with a shell, and a demo disk to mount. Ends with the test. */
export async function ramdisk(
  candidate: ShellCandidate,
  more: Record<string, Program> = {},
  host: Host = systemHost,
): Promise<{ telnet: Telnet; diskPath: string; shown: () => string }> {
  const folder = scratch();
  const { rawPath } = await makeDemoImage(join(folder, 'images'), { sizeBytes: 4 << 20, host });
  const programs = new Map<string, Program>(Object.entries({ ...mountPrograms(rawPath), ...more }));
  const openShell = realShell({
    host: systemHost,
    program: findShell(systemHost, folder, [candidate]),
    programs,
    diskPath: rawPath,
    folder: join(folder, 'sessions'),
    hostname: 'fit01',
    uptimeSeconds: () => 5,
  });
  const sessions: TelnetSession[] = [];
  const server: Server = createServer((socket) => sessions.push(new TelnetSession(socket, openShell))).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  let shown = '';
  const onRaw = (bytes: Uint8Array): void => void (shown += Buffer.from(bytes).toString());
  const telnet = await openTelnet({
    host: '127.0.0.1',
    port: typeof address === 'object' ? (address?.port ?? 0) : 0,
    connectTimeoutMs: 5_000,
    firstByteTimeoutMs: 5_000,
    signal: new AbortController().signal,
    onRaw,
  });
  ends.push(
    () => new Promise((resolve) => server.close(resolve)),
    () => sessions.forEach((session) => session.kill()),
    () => telnet.close(),
  );
  return { telnet, diskPath: rawPath, shown: () => shown };
}
