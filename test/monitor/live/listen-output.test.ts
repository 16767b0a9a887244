import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import WebSocket from 'ws';
import { ChangeLog } from '../../../src/monitor/live/change-log.js';
import { refusalOf } from '../../../src/monitor/live/listen-guard.js';
import { listenOutput, type ListenOptions } from '../../../src/monitor/live/listen-output.js';
import { unseen, type NodeView } from '../../../src/events/node-view.js';
import { dice } from '../../helpers/mutate.js';

const KEY = 'Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n';

/** A server on a port of its own, with `nodes` that are watched. */
async function listening(options: ListenOptions = {}, nodes = 1): Promise<{ port: number; log: ChangeLog; change: () => void }> {
  const state: NodeView = unseen(0);
  const log = new ChangeLog('w', new Map(Array.from({ length: nodes }, (_, i) => [`fit${i}`, state])), () => 7);
  let said = '';
  const output = await listenOutput(log, { host: '127.0.0.1', port: 0 }, (text) => (said = text), options);
  onTestFinished(() => output.close());
  const change = (): void => log.add({ seq: log.seq + 1, at: log.seq, node: 'fit0', was: {}, now: { cmc: 'on' }, state: { ...state } });
  return { port: Number(/:(\d+)\//.exec(said)?.[1]), log, change };
}

function connected(port: number): Socket {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => undefined);
  onTestFinished(() => void socket.destroy());
  return socket;
}

/** What comes back for raw bytes, until the other side closes; with `until` as soon as that has come. */
async function ask(port: number, request: string | Buffer, until?: RegExp): Promise<string> {
  const socket = connected(port);
  socket.write(request);
  let text = '';
  return new Promise((resolve) => {
    socket.on('data', (data) => {
      text += data.toString('latin1');
      if (until?.test(text)) socket.destroy();
    });
    socket.on('close', () => resolve(text));
  });
}

const snapshot = (port: number): Promise<string> => ask(port, 'GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n');

test('a path that is none is a 400, as a websocket too, and the server lives on', async () => {
  const { port } = await listening();
  for (const path of ['//', '///x', '//[', 'http://[', '*', 'x:y', 'http://127.0.0.1/']) {
    expect(await ask(port, `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n${KEY}\r\n`)).toMatch(/^HTTP\/1\.1 400 /);
    expect(await ask(port, `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n`)).toMatch(/^HTTP\/1\.1 400 /);
  }
  expect(await ask(port, `GET /?since=%ff&since=w:1&%=%%% HTTP/1.1\r\nHost: 127.0.0.1\r\n${KEY}\r\n`, /"snapshot"/)).toMatch(
    /^HTTP\/1\.1 101 /,
  );
  expect(await snapshot(port)).toContain('"type":"snapshot"');
});

test('another Host or Origin is a 403 with the reason, on every way in', async () => {
  const { port } = await listening({ names: ['nodes.example.org'] });
  for (const path of ['/', '/events']) {
    for (const headers of [
      'Host: evil.example',
      'Host: evil.example\r\nOrigin: http://evil.example',
      'Host: 127.0.0.1\r\nOrigin: http://evil.example',
      'Host: localhost\r\nOrigin: null',
      'Host: localhost.evil.example',
      'Host: nodes.example.org.evil.example',
    ]) {
      expect(await ask(port, `GET ${path} HTTP/1.1\r\n${headers}\r\nConnection: close\r\n\r\n`)).toMatch(
        /^HTTP\/1\.1 403 [^]*\r\n\r\n.*(Host|origin)/,
      );
      expect(await ask(port, `GET ${path} HTTP/1.1\r\n${headers}\r\n${KEY}\r\n`)).toMatch(/^HTTP\/1\.1 403 [^]*\r\n\r\n.*(Host|origin)/);
    }
  }
  expect(await ask(port, 'GET / HTTP/1.0\r\n\r\n')).toMatch(/^HTTP\/1\.1 400 [^]*Host/);
  for (const headers of [
    'Host: localhost:9000',
    'Host: [::1]:9000',
    'Host: NODES.example.org.',
    'Host: 127.0.0.1:1\r\nOrigin: http://127.0.0.1:1',
    'Host: nodes.example.org\r\nOrigin: http://nodes.example.org',
  ]) {
    expect(await ask(port, `GET / HTTP/1.1\r\n${headers}\r\nConnection: close\r\n\r\n`)).toMatch(/^HTTP\/1\.1 200 /);
    expect(await ask(port, `GET /x HTTP/1.1\r\n${headers}\r\n${KEY}\r\n`, /"snapshot"/)).toMatch(/^HTTP\/1\.1 101 /);
  }
  expect(refusalOf({ url: '/', headers: { host: 'gateway' } }, ['0.0.0.0', 'Gateway'])).toBeNull();
});

test('hundreds of kinds of garbage: each gets a 4xx or is closed, and the server lives on', async () => {
  const { port } = await listening({ requestMs: 400 });
  const roll = dice(7);
  const good = `GET /events?since=w:1 HTTP/1.1\r\nHost: localhost\r\n${KEY}Origin: http://localhost\r\nLast-Event-ID: w:1\r\n\r\n`;
  const pieces = [
    '\r\n',
    '\0',
    ' ',
    '//',
    '%',
    'HTTP/9.9',
    'Host:',
    ':',
    '\u00ff',
    'POST',
    'CONNECT x:1',
    'Content-Length: 9\r\n',
    'Transfer-Encoding: chunked\r\n',
    'Expect: x\r\n',
    'x'.repeat(9_000),
    'Sec-WebSocket-Extensions: ;;=\r\n',
  ];
  const mangled = Array.from({ length: 300 }, () => {
    let text = good;
    for (let i = 0; i <= roll(3); i++) {
      const [at, length] = [roll(text.length), roll(30)];
      text = text.slice(0, at) + (pieces[roll(pieces.length)] ?? '') + text.slice(at + (roll(2) === 0 ? 0 : length));
    }
    return Buffer.from(text, 'latin1');
  });
  const frames = Array.from({ length: 40 }, () =>
    Buffer.concat([Buffer.from(good, 'latin1'), Buffer.from(Array.from({ length: 40 }, () => roll(256)))]),
  );
  const answers = await Promise.all([...mangled, ...frames].map((bytes) => ask(port, bytes, /^HTTP\/1\.1 \d{3} /)));
  for (const answer of answers) expect(answer).toMatch(/^($|HTTP\/1\.1 (101|200|4\d\d) )/);
  expect(answers.filter((answer) => /^HTTP\/1\.1 4/.test(answer)).length).toBeGreaterThan(50);
  expect(await snapshot(port)).toContain('"type":"snapshot"');
});

test('requests that never end, and connections that say nothing, are closed', async () => {
  const { port } = await listening({ requestMs: 200 });
  const closed = [
    '',
    'GET / HT',
    'GET / HTTP/1.1\r\nHost: localhost\r\nX',
    'POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99\r\n\r\nx',
  ].map((bytes) => ask(port, bytes));
  for (const answer of await Promise.all(closed)) expect(answer).toMatch(/^($|HTTP\/1\.1 4\d\d )/);
});

test('a websocket that answers no ping, or others than it was sent, is dropped; one that does stays', async () => {
  const { port, change } = await listening({ heartbeatMs: 150 });
  const silent = connected(port);
  const liar = connected(port);
  for (const socket of [silent, liar]) socket.write(`GET / HTTP/1.1\r\nHost: localhost\r\n${KEY}\r\n`);
  liar.on('data', () => liar.write(Buffer.from([0x8a, 0x80, 0, 0, 0, 0]))); // pongs without the number
  silent.resume();
  const good = new WebSocket(`ws://127.0.0.1:${port}/`);
  await once(good, 'message');
  await Promise.all([once(silent, 'close'), once(liar, 'close')]);
  change();
  const [data] = (await once(good, 'message')) as [Buffer];
  expect(data.toString()).toContain('"type":"change"');
  good.terminate();
});
