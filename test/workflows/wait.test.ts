import { afterEach, expect, test } from 'vitest';
import { waitForSsh, waitForTelnet, type SshWaitOptions } from '../../src/workflows/wait.js';
import { nodeAt } from '../helpers/nodes.js';
import { nodeRun } from '../helpers/node-run.js';
import { helloOf, serve, sshd, type Server } from '../ssh/servers.js';

const BOOT = '5d0c1a9e-5a64-4f7e-9c51-0a6f5f7f2f0e\n100.00 1.00\n';
const NOISE = '\x1b(B\x1b[m';
const never = new AbortController().signal;
const servers: Server[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});

function started<T extends Server>(server: T): T {
  servers.push(server);
  return server;
}

const options = ({ port }: Server, lastBoot: number | null = null): SshWaitOptions => ({
  port,
  backoffMs: 20,
  lastBoot: async () => lastBoot,
  username: 'root',
  auth: { privateKeys: [] },
});

/** A system that has been up for 100 s and prints `noise` at each login. */
function system(noise: string, onConnection: () => void = () => {}): Promise<Server> {
  return sshd({
    allow: () => true,
    onConnection,
    onExec: (_, channel) => (channel.write(`${noise}${BOOT}`), channel.exit(0), channel.end()),
  });
}

test('one connection is all it takes, and that one logs in', async () => {
  let connections = 0;
  const target = started(await system('', () => (connections += 1)));
  const { run } = nodeRun(nodeAt(target.host));
  expect(await waitForSsh(run, options(target), never)).toEqual({
    via: 'ssh',
    uptimeMs: 100_000,
    bootId: '5d0c1a9e-5a64-4f7e-9c51-0a6f5f7f2f0e',
  });
  expect(connections).toBe(1);
});

test('what a login prints without a line end hides no boot', async () => {
  const target = started(await system(NOISE));
  const { run } = nodeRun(nodeAt(target.host));
  expect(await waitForSsh(run, options(target, Date.now() - 200_000), never)).toMatchObject({ via: 'ssh', uptimeMs: 100_000 });
});

test('a reset that is recorded in the future refuses no system', async () => {
  const target = started(await system(''));
  const { run, events } = nodeRun(nodeAt(target.host));
  expect(await waitForSsh(run, options(target, Date.now() + 86_400_000), never)).toMatchObject({ via: 'ssh', uptimeMs: 100_000 });
  expect(events).toContainEqual({ type: 'run.warning', text: expect.stringContaining('in the future') as unknown });
});

test('a server without a common algorithm ends it at once, unless a system may still be going down', async () => {
  const target = started(await serve((socket) => socket.write(helloOf(['sntrup761x25519-sha512']))));
  const { run } = nodeRun(nodeAt(target.host));
  await expect(waitForSsh(run, options(target), never)).rejects.toMatchObject({
    code: 'ssh-no-algorithm',
    message: expect.stringContaining('offers only: sntrup761x25519-sha512') as unknown,
  });
  const seen = new AbortController();
  const { run: again, events } = nodeRun(nodeAt(target.host), { random: () => (seen.abort(new Error('seen')), 0) }); // a pause is about to begin
  await expect(waitForSsh(again, options(target, Date.now() - 1_000), seen.signal)).rejects.toThrow('seen');
  expect(events).toContainEqual(
    expect.objectContaining({ type: 'target.note', text: expect.stringContaining('no key exchange') as unknown }),
  );
});

test('who is asked is told of, and only who was', async () => {
  const gone = await serve(() => {});
  await gone.close();
  const tried: string[] = [];
  const ending = new AbortController();
  const { run } = nodeRun(nodeAt(gone.host));
  const onTried = (node: string): void => {
    tried.push(node);
    ending.abort(new Error('enough'));
  };
  await expect(waitForSsh(run, { ...options(gone), onTried }, ending.signal)).rejects.toThrow('enough');
  expect(tried).toEqual(['fit07']);
  const silent = started(await serve(() => unasked.abort(new Error('enough'))));
  const unasked = new AbortController();
  await expect(waitForSsh(run, { ...options(silent), onTried }, unasked.signal)).rejects.toThrow('enough');
  expect(tried).toEqual(['fit07']);
});

test('a telnetd that asks for a login is said to do so', async () => {
  const target = started(await serve((socket) => socket.write('\r\nvm login: ')));
  const ending = new AbortController();
  const { run, events } = nodeRun(nodeAt(target.host));
  const waiting = waitForTelnet(run, { ...options(target), onTried: () => ending.abort(new Error('enough')) }, ending.signal);
  await expect(waiting).rejects.toThrow('enough');
  expect(run.late('telnet-deadline', 'late').message).toContain('asks for a login');
  expect(events).toContainEqual(
    expect.objectContaining({ type: 'target.note', text: expect.stringContaining('asks for a login') as unknown }),
  );
});
