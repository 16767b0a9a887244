import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { WebSocketServer, type WebSocket } from 'ws';
import type { WatchMessage } from '../../src/monitor/live/change-log.js';
import type { Running } from '../helpers/cli.js';
import { testbedUp, type ChildTestbed } from '../helpers/testbed.js';

let testbed: ChildTestbed;
beforeAll(async () => {
  testbed = await testbedUp(4, '--boot', '0.2', '--on', '--fault', 'fit04:cmc-silent');
});
afterAll(() => testbed.close());

let running: Running[] = [];
afterEach(async () => {
  for (const { child } of running) child.kill('SIGKILL');
  await Promise.all(running.map(({ finished }) => finished));
  running = [];
});

/** Messages as they come, and a way to wait for one. */
class Messages {
  readonly all: WatchMessage[] = [];
  readonly #watchers = new Set<() => void>();

  add(text: string): void {
    this.all.push(JSON.parse(text) as WatchMessage); // as: it is ours
    for (const watcher of this.#watchers) watcher();
  }

  until(match: (message: WatchMessage) => boolean): Promise<WatchMessage> {
    return new Promise((resolve) => {
      const watcher = (): void => {
        const found = this.all.find(match);
        if (!found) return;
        this.#watchers.delete(watcher);
        resolve(found);
      };
      this.#watchers.add(watcher);
      watcher();
    });
  }

  get seqs(): number[] {
    return this.all.flatMap((message) => (message.type === 'change' ? [message.seq] : []));
  }
}

function monitor(...args: string[]): Running {
  const started = testbed.start('imaging-monitor', ['--cycle', '0.2', ...args]);
  running.push(started);
  return started;
}

function linesOf({ child }: Running): Messages {
  const messages = new Messages();
  let rest = '';
  child.stdout.on('data', (text: string) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) messages.add(line);
  });
  return messages;
}

const becomes = (node: string, facts: object) => (message: WatchMessage) =>
  message.type === 'change' &&
  message.node === node &&
  Object.entries(facts).every(([name, value]) => JSON.stringify(message.now[name as 'cmc']) === JSON.stringify(value));

test('JSON lines: a snapshot of every node, then each change; Ctrl-C is how it ends', async () => {
  const started = monitor('--json');
  const messages = linesOf(started);
  const first = await messages.until(() => true);
  if (first.type !== 'snapshot') throw new Error(`${first.type} came first`);
  expect(first.nodes.map(({ node }) => node)).toEqual(['fit01', 'fit02', 'fit03', 'fit04']);
  expect(first.nodes[0]).toMatchObject({ cmc: 'on', usrp: 'off', ping: true, ssh: 'yes', osRelease: 'Emulated Linux 1', holder: null });
  expect(first.nodes[0]?.image).toMatch(/ - image \S+ - by /);
  expect(first.nodes[3]).toMatchObject({ node: 'fit04', cmc: 'silent', usrp: null, ssh: 'yes' }); // a card that is silent hides nothing else

  await testbed.run('imaging-off', ['1']);
  await messages.until(becomes('fit01', { cmc: 'off' }));
  const gone = await messages.until(becomes('fit01', { ssh: 'no' }));
  expect(gone).toMatchObject({ was: { ssh: 'yes', osRelease: 'Emulated Linux 1' }, now: { osRelease: null, image: null } });
  await testbed.run('imaging-on', ['1']);
  await messages.until(becomes('fit01', { cmc: 'on' }));
  const back = await messages.until(
    (message) => becomes('fit01', { ssh: 'yes' })(message) && message.type === 'change' && message.now.bootId !== null,
  );
  expect(back).toMatchObject({ state: { osRelease: 'Emulated Linux 1' } });
  await testbed.run('imaging-usrpon', ['2']);
  await messages.until(becomes('fit02', { usrp: 'on' }));

  started.child.kill('SIGINT');
  expect(await started.finished).toMatchObject({ code: 0, stderr: '' });
  expect(messages.seqs).toEqual(messages.seqs.map((_, index) => index + 1));
  expect(messages.all.filter(becomes('fit01', { cmc: 'off' }))).toHaveLength(1);
});

test('a run that holds a node is named', async () => {
  const messages = linesOf(monitor('3', '--json'));
  await messages.until(({ type }) => type === 'snapshot');
  const load = await testbed.run('imaging-load', ['3', '--progress', 'json']);
  expect(load.code).toBe(0);
  await messages.until((message) => message.type === 'change' && message.now.holder === null);
  const run = load.events[0]?.run;
  expect(messages.all.some((message) => message.type === 'change' && message.now.holder?.run === run)).toBe(true);
});

test('a consumer that dies and comes back gets what it has missed, then a snapshot', async () => {
  const messages = new Messages();
  let socket: WebSocket | undefined;
  const serve = async (port: number): Promise<WebSocketServer> => {
    const server = new WebSocketServer({ host: '127.0.0.1', port });
    server.on('connection', (each) => {
      socket = each;
      each.on('message', (data: Buffer) => messages.add(data.toString('utf8')));
    });
    await once(server, 'listening');
    return server;
  };
  const first = await serve(0);
  const { port } = first.address() as AddressInfo; // as: it listens on TCP
  const started = monitor('2', '--json', '--websocket', `ws://127.0.0.1:${port}/nodes`);
  const lines = linesOf(started);
  await messages.until(({ type }) => type === 'snapshot');
  socket?.terminate();
  first.close();
  await once(first, 'close');
  await testbed.run('imaging-off', ['2']);
  await lines.until(becomes('fit02', { cmc: 'off' }));
  const second = await serve(port);
  try {
    await messages.until(becomes('fit02', { cmc: 'off' }));
    await messages.until((message) => message.type === 'snapshot' && message.seq > 0);
    await testbed.run('imaging-on', ['2']);
    await messages.until(becomes('fit02', { cmc: 'on' }));
    expect(messages.seqs).toEqual(messages.seqs.map((_, index) => index + 1));
    started.child.kill('SIGTERM');
    expect((await started.finished).code).toBe(0);
  } finally {
    for (const client of second.clients) client.terminate();
    second.close();
  }
});

test('it serves a snapshot, and events to who comes back for them; not to pages from elsewhere', async () => {
  const started = monitor('1', '--quiet', '--listen', '0');
  const [told] = await once(started.child.stderr, 'data');
  const base = /http:\/\/[\d.:]+\//.exec(String(told))?.[0] ?? '';
  const snapshot = (await (await fetch(base)).json()) as WatchMessage; // as: it is ours
  expect(snapshot).toMatchObject({ type: 'snapshot', seq: 0, nodes: [{ node: 'fit01' }] });
  expect((await fetch(base, { headers: { origin: 'http://elsewhere.example' } })).status).toBe(403);
  expect((await fetch(`${base}nothing`)).status).toBe(404);
  await testbed.run('imaging-off', ['1']);
  const messages = new Messages();
  const answer = await fetch(`${base}events`, { headers: { 'last-event-id': `${snapshot.watch}:0` } });
  const reading = (async () => {
    let text = '';
    for await (const piece of answer.body ?? []) {
      const parts = (text + Buffer.from(piece).toString('utf8')).split('\n\n');
      text = parts.pop() ?? '';
      for (const part of parts) if (part.includes('data: ')) messages.add(part.slice(part.indexOf('data: ') + 6));
    }
  })();
  await messages.until(becomes('fit01', { cmc: 'off' }));
  expect(messages.all[0]).toMatchObject({ type: 'change', seq: 1 }); // no snapshot: it has one
  started.child.kill('SIGINT');
  expect((await started.finished).code).toBe(0);
  await reading.catch(() => {}); // cut off with the server
});

test('mistakes are named', async () => {
  expect(await testbed.run('imaging-monitor', ['--listen', 'here'])).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('--listen: "here"'),
  });
  expect(await testbed.run('imaging-monitor', ['--websocket', 'http://x/'])).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('not a websocket address'),
  });
  expect(await testbed.run('imaging-monitor', ['1', '--listen', '192.0.2.1:9000'])).toMatchObject({
    code: 4,
    stderr: expect.stringContaining('cannot listen on 192.0.2.1:9000'),
  });
});
