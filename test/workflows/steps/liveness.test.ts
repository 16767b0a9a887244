import { afterEach, expect, test } from 'vitest';
import type { Socket } from 'node:net';
import { takeLiveness } from '../../../src/workflows/steps/liveness.js';
import { nodeAt } from '../../helpers/nodes.js';
import { serve, type Server } from '../../ssh/servers.js';

const servers: Server[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});

/** A server that counts, and tells of each connection. */
async function counting(onConnection: (count: number, socket: Socket) => void): Promise<Server & { count(): number }> {
  let count = 0;
  const server = await serve((socket) => onConnection((count += 1), socket.resume()));
  servers.push(server);
  return { ...server, count: () => count };
}

test('an sshd is hardly asked whether it is still there, as every connection that does not log in counts; telnet is', async () => {
  let asked: () => void = () => {};
  const secondQuestion = new Promise<void>((resolve) => (asked = resolve));
  const telnet = await counting(() => {});
  const ssh = await counting((count) => count === 3 && asked());
  const ending = new AbortController();
  const signs = await takeLiveness(nodeAt(telnet.host), {
    telnetPort: telnet.port,
    sshPort: ssh.port,
    pinger: null,
    probeTimeoutMs: 1_000,
    signal: ending.signal,
  });
  expect(signs.map(({ probe }) => probe)).toEqual(['telnet', 'ssh']);
  const gone = Promise.allSettled(signs.map((sign) => sign.gone(ending.signal)));
  await secondQuestion; // after 3 s, when telnet has been asked some 9 times
  expect(telnet.count()).toBeGreaterThan(2 * ssh.count());
  ending.abort(new Error('enough'));
  await gone;
  for (const sign of signs) sign.release();
});

test('the end of the connection that is held tells at once', async () => {
  const held: Socket[] = [];
  const ssh = await counting((_, socket) => held.push(socket));
  const nobody = await serve(() => {});
  await nobody.close();
  const ending = new AbortController();
  const [sign] = await takeLiveness(nodeAt(ssh.host), {
    telnetPort: nobody.port,
    sshPort: ssh.port,
    pinger: null,
    probeTimeoutMs: 1_000,
    signal: ending.signal,
  });
  const gone = sign?.gone(ending.signal);
  await ssh.close(); // ends what is held, and refuses what comes
  await gone;
  expect(ssh.count()).toBe(1);
});
