import { afterEach, expect, test } from 'vitest';
import type * as ssh2 from 'ssh2';
import { HeldLogin } from '../../../src/workflows/watching/held-login.js';
import { serve, sshd, type Server } from '../../ssh/servers.js';

const servers: Server[] = [];
const ends = new AbortController();
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});

function started<T extends Server>(server: T): T {
  servers.push(server);
  return server;
}

/** A clock that stands still until it is moved. */
let clockMs = 0;

function held(target: Server, signal: AbortSignal = ends.signal): HeldLogin {
  const opening = <T>(work: () => Promise<T>): Promise<T> => work();
  return new HeldLogin({
    host: target.host,
    port: target.port,
    username: 'root',
    auth: { privateKeys: [] },
    signal,
    opening,
    monotonicMs: () => clockMs,
  });
}

test('however often one looks, there is one connection, and it answers questions', async () => {
  let connections = 0;
  const target = started(
    await sshd({
      allow: () => true,
      onConnection: () => (connections += 1),
      onExec: (command, channel) => (channel.write(command), channel.exit(0), channel.end()),
    }),
  );
  const login = held(target);
  for (let look = 0; look < 20; look += 1) {
    const seen = await login.look(10_000);
    if (seen.type !== 'in') throw new Error(seen.type);
    expect(await seen.login.exec(`ask ${look}`)).toEqual({ status: 0, stdout: `ask ${look}` });
  }
  expect(connections).toBe(1);
});

test('one that ended is made anew at the next look; one that is not there is refused', async () => {
  const clients: ssh2.ServerChannel[] = [];
  const target = started(await sshd({ allow: () => true, onExec: (_, channel) => void clients.push(channel) }));
  const login = held(target);
  const first = await login.look(10_000);
  if (first.type !== 'in') throw new Error(first.type);
  first.login.end();
  await first.login.closed;
  expect((await login.look(10_000)).type).toBe('in');
  const gone = await serve(() => {});
  await gone.close();
  expect(await held(gone).look(10_000)).toEqual({ type: 'refused' });
});

test('an sshd that lets us not in is not asked again for 15 s, unless something happens to its node', async () => {
  let connections = 0;
  const target = started(await sshd({ allow: () => false, onConnection: () => (connections += 1), onExec: () => {} }));
  const login = held(target);
  expect(await login.look(10_000)).toEqual({ type: 'no-login' });
  clockMs += 14_900;
  expect(await login.look(10_000)).toEqual({ type: 'waiting' });
  expect(connections).toBe(1);
  clockMs += 200;
  expect(await login.look(10_000)).toEqual({ type: 'no-login' });
  expect(await login.look(10_000)).toEqual({ type: 'waiting' });
  login.hurry();
  expect(await login.look(10_000)).toEqual({ type: 'no-login' });
  expect(connections).toBe(3);
});

test('one that is shut out knows that an sshd runs', async () => {
  const target = started(await serve((socket) => socket.end('Not allowed at this time\r\n')));
  expect(await held(target).look(10_000)).toEqual({ type: 'no-login' });
});

test('a slow sshd is told of, and the same login goes on', async () => {
  let connections = 0;
  let letIn: (() => void) | null = null;
  const target = started(await sshd({ allow: () => true, onConnection: () => (connections += 1), onExec: () => {} }));
  const { connect } = await import('node:net');
  const slow = started(
    await serve((socket) => {
      socket.write('Welcome\r\n');
      letIn = () => {
        const onward = connect(target.port, target.host).on('error', () => {});
        socket.on('close', () => onward.destroy());
        socket.pipe(onward).pipe(socket);
      };
    }),
  );
  const login = held(slow);
  expect(await login.look(200)).toEqual({ type: 'silent' });
  expect(await login.look(1)).toEqual({ type: 'silent' });
  const entering = login.look(10_000);
  (letIn as (() => void) | null)?.();
  expect((await entering).type).toBe('in');
  expect(connections).toBe(1);
});

test('ends with its signal', async () => {
  const closed = new AbortController();
  const target = started(await sshd({ allow: () => true, onExec: () => {}, onClose: () => closed.abort() }));
  const ending = new AbortController();
  expect((await held(target, ending.signal).look(10_000)).type).toBe('in');
  const gone = new Promise((resolve) => closed.signal.addEventListener('abort', resolve));
  ending.abort(new Error('over'));
  await gone;
});
