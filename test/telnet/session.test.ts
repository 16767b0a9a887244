import { spawn } from 'node:child_process';
import type { Socket } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { DO, IAC, SB, SE, SERVER_GREETING, TelnetDecoder, WILL, encodeData } from '../../src/telnet/codec.js';
import { openTelnet, type OpenTelnetOptions, type TelnetSession } from '../../src/telnet/session.js';
import { fullBacklog, scripted, serve, withResolvers, type Server } from './servers.js';

const cleanup: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const undo of cleanup.splice(0).reverse()) await undo();
});

const never = new AbortController().signal;

async function server(onSocket: (socket: Socket) => void): Promise<Server> {
  const started = await serve(onSocket);
  cleanup.push(() => started.close());
  return started;
}

async function deaf(): Promise<Server> {
  const started = await fullBacklog();
  cleanup.push(() => started.close());
  return started;
}

async function open(target: { host: string; port: number }, more: Partial<OpenTelnetOptions> = {}): Promise<TelnetSession> {
  const session = await openTelnet({
    host: target.host,
    port: target.port,
    connectTimeoutMs: 5_000,
    firstByteTimeoutMs: 5_000,
    signal: never,
    ...more,
  });
  cleanup.push(async () => {
    session.close();
    await session.closed;
  });
  return session;
}

describe('opening', () => {
  test('gives up on a telnetd that is connected but silent', async () => {
    const silent = await server(() => {});
    await expect(open(silent, { firstByteTimeoutMs: 60 })).rejects.toMatchObject({
      code: 'telnet-silent',
      message: `telnet ${silent.host}:${silent.port} is connected but said nothing for 0.06 s`,
    });
  });

  test('closes the connection to a silent telnetd', async () => {
    const gone = withResolvers();
    const silent = await server((socket) => socket.resume().on('close', () => gone.resolve()));
    await expect(open(silent, { firstByteTimeoutMs: 60 })).rejects.toThrow();
    await gone.promise;
  });

  test('says refused when nobody listens', async () => {
    const closed = await serve(() => {});
    await closed.close();
    await expect(open(closed)).rejects.toMatchObject({
      code: 'telnet-refused',
      message: `telnet ${closed.host}:${closed.port} refused the connection`,
    });
  });

  test('says timeout when connecting takes too long', async () => {
    const full = await deaf();
    await expect(open(full, { connectTimeoutMs: 80 })).rejects.toMatchObject({
      code: 'telnet-timeout',
      message: `telnet ${full.host}:${full.port} did not accept a connection within 0.08 s`,
    });
  });

  test('says closed when the server hangs up before a byte', async () => {
    const rude = await server((socket) => socket.end());
    await expect(open(rude)).rejects.toMatchObject({
      code: 'telnet-closed',
      message: expect.stringContaining(`${rude.host}:${rude.port}`),
    });
  });

  test("rejects with the signal's reason while connecting and while waiting for the first byte", async () => {
    const reason = new Error('enough');
    await expect(open({ host: '127.23.0.1', port: 9 }, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    const controller = new AbortController();
    const silent = await server(() => controller.abort(reason));
    await expect(open(silent, { signal: controller.signal })).rejects.toBe(reason);
    const waiting = new AbortController();
    const opening = open(await deaf(), { signal: waiting.signal });
    waiting.abort(reason);
    await expect(opening).rejects.toBe(reason);
  });

  test('loses no byte of what the server says first', async () => {
    const raw: Buffer[] = [];
    const eager = await server((socket) =>
      socket.write(Buffer.concat([Buffer.from('hello'), Buffer.from([IAC, WILL, 1]), Buffer.from(' world')])),
    );
    await open(eager, { onRaw: (bytes) => raw.push(Buffer.from(bytes)) });
    expect(Buffer.concat(raw).toString()).toBe('hello world');
  });
});

describe('running', () => {
  test('takes telnet commands out of the middle of a chunk, answers them, and unescapes FF FF', async () => {
    const replies: number[] = [];
    const lines: string[] = [];
    const target = await server((socket) => {
      socket.on('data', (chunk: Buffer) => replies.push(...chunk));
      scripted((status, peer) => {
        peer.write(
          Buffer.concat([
            Buffer.from('x'),
            Buffer.from([IAC, DO, 24]),
            Buffer.from('y'),
            Buffer.from([IAC, SB, 24, 1, IAC, SE]),
            Buffer.from([0xc3, IAC, IAC]),
            Buffer.from(`z\r\n${status(0)}`),
          ]),
        );
      })(socket);
    });
    const session = await open(target);
    await session.run('true', { signal: never, onLine: (line) => lines.push(line) });
    expect(lines).toEqual(['xy\ufffd\ufffdz']);
    await session.run('true', { signal: never });
    expect(Buffer.from(replies).includes(Buffer.from([IAC, 0xfc, 24]))).toBe(true);
  });

  test('keeps no output in memory, however much there is', async () => {
    const target = await server(scripted((status, socket) => flood(socket, 64 << 20, status(5))));
    const session = await open(target);
    const before = rssMiB();
    let peak = 0;
    expect(await session.run('imagezip', { signal: never, onText: () => (peak = Math.max(peak, rssMiB())) })).toEqual({ status: 5 });
    expect(peak - before).toBeLessThan(100); // without lines of its own, 64 MiB of text kept would be at least 128 MiB
  });

  test('is not fooled by what looks like a prompt in the output', async () => {
    const lines: string[] = [];
    const target = await server(scripted((status, socket) => socket.write(`50% # \r\n/ # # \r\n${status(3)}/ # `)));
    const session = await open(target);
    expect(await session.run('frisbee', { signal: never, onLine: (line) => lines.push(line) })).toEqual({ status: 3 });
    expect(lines).toEqual(['50% # ', '/ # # ']);
  });

  test('sees growing dots at once, long before their line ends', async () => {
    const goOn = withResolvers();
    const target = await server(
      scripted((status, socket) => {
        socket.write('.');
        void goOn.promise.then(() => socket.write(`..s..zz\r\n${status(0)}`));
      }),
    );
    const session = await open(target);
    const text: string[] = [];
    const dot = withResolvers();
    const run = session.run('frisbee', { signal: never, onText: (part) => (text.push(part), dot.resolve()) });
    await dot.promise;
    expect(text).toEqual(['.']);
    goOn.resolve();
    await run;
    expect(text.join('')).toBe('...s..zz\r\n');
  });

  test('rejects when the server dies in the middle of a command, and gives out what it had said', async () => {
    const lines: string[] = [];
    const target = await server(scripted((_, socket) => socket.end('half a li')));
    const session = await open(target);
    const run = session.run('frisbee -m 234.5.6.1 /dev/sda', { signal: never, onLine: (line) => lines.push(line) });
    await expect(run).rejects.toMatchObject({
      code: 'telnet-closed',
      message: `telnet ${target.host}:${target.port}: connection closed (by the server) before 'frisbee -m 234.5.6.1 /dev/sda' reported its exit status`,
    });
    expect(lines).toEqual(['half a li']);
    await session.closed;
    await expect(session.run('true', { signal: never })).rejects.toMatchObject({ code: 'telnet-closed' });
  });

  test('rejects when the server resets the connection', async () => {
    const target = await server(scripted((_, socket) => socket.resetAndDestroy()));
    const session = await open(target);
    await expect(session.run('true', { signal: never })).rejects.toMatchObject({
      code: 'telnet-closed',
      message: expect.stringContaining('ECONNRESET'),
    });
  });

  test('rejects after silence, and closes the connection: a dead machine never does', async () => {
    const target = await server(scripted((_, socket) => socket.write('Joined the team\r\n')));
    const session = await open(target);
    await expect(session.run('frisbee', { signal: never, silenceTimeoutMs: 60 })).rejects.toMatchObject({
      code: 'telnet-stalled',
      message: `telnet ${target.host}:${target.port}: not a byte for 0.06 s while 'frisbee' ran`,
    });
    await session.closed;
  });

  test('every byte starts the silence anew', async () => {
    const target = await server(
      scripted((status, socket) => {
        let ticks = 0;
        const timer = setInterval(() => {
          socket.write('.');
          if (++ticks < 8) return;
          clearInterval(timer);
          socket.write(status(0));
        }, 50);
        socket.on('close', () => clearInterval(timer));
      }),
    );
    const session = await open(target);
    expect(await session.run('frisbee', { signal: never, silenceTimeoutMs: 300 })).toEqual({ status: 0 });
  });

  test("rejects with the signal's reason and hangs up", async () => {
    const reason = new Error('node deadline');
    const controller = new AbortController();
    const hungUp = withResolvers();
    const target = await server((socket) => {
      socket.on('close', () => hungUp.resolve());
      scripted(() => controller.abort(reason))(socket);
    });
    const session = await open(target);
    await expect(session.run('sleep 100', { signal: controller.signal })).rejects.toBe(reason);
    await hungUp.promise;
    await session.closed;
  });

  test('refuses a second command while one runs, and the first goes on unmixed', async () => {
    const go = withResolvers();
    const target = await server(scripted((status, socket) => void go.promise.then(() => socket.write(`first\r\n${status(1)}`))));
    const session = await open(target);
    const lines: string[] = [];
    const first = session.run('one', { signal: never, onLine: (line) => lines.push(line) });
    await expect(session.run('two', { signal: never })).rejects.toThrow("'two' cannot run while 'one' does");
    go.resolve();
    expect(await first).toEqual({ status: 1 });
    expect(lines).toEqual(['first']);
    expect(await session.run('two', { signal: never })).toEqual({ status: 1 });
  });

  test.each(['sh', 'bash'])('works over the pipes of `%s -s`, with neither echo nor prompt nor CR', async (shell) => {
    const target = await server((socket) => {
      const child = spawn(shell, ['-s'], { stdio: ['pipe', 'pipe', 'ignore'] });
      socket.write(SERVER_GREETING);
      const decoder = new TelnetDecoder({ lineEnds: 'lf' });
      socket.on('data', (chunk: Buffer) => child.stdin.write(decoder.decode(chunk).data));
      child.stdout.on('data', (chunk: Buffer) => socket.write(encodeData(chunk)));
      socket.on('close', () => child.kill('SIGKILL'));
      child.on('exit', () => socket.destroy());
    });
    const session = await open(target);
    const lines: string[] = [];
    expect(await session.run('echo a; printf b; (exit 12)', { signal: never, onLine: (line) => lines.push(line) })).toEqual({ status: 12 });
    expect(await session.run('true', { signal: never })).toEqual({ status: 0 });
    expect(lines).toEqual(['a', 'b']);
    await expect(session.run('exit 3', { signal: never })).rejects.toMatchObject({ code: 'telnet-closed' });
  });

  test('refuses what is not one line, or longer than a remote line editor takes', async () => {
    const session = await open(await server(scripted(() => {})));
    await expect(session.run('echo a\nreboot', { signal: never })).rejects.toThrow('one line');
    await expect(session.run(`echo ${'x'.repeat(1_000)}`, { signal: never })).rejects.toMatchObject({ code: 'telnet-command-too-long' });
  });

  test('a listener that throws fails its run, not the process', async () => {
    const session = await open(await server(scripted((status, socket) => socket.write(`line\r\n${status(0)}`))));
    const bug = new Error('bug in a listener');
    await expect(
      session.run('true', {
        signal: never,
        onLine: () => {
          throw bug;
        },
      }),
    ).rejects.toBe(bug);
  });

  test('leaves no socket, timer or listener behind', async () => {
    const allGone = withResolvers();
    let gone = 0;
    const target = await server((socket) => {
      socket.on('close', () => ++gone === 20 && allGone.resolve());
      scripted((status, peer) => peer.write(status(0)))(socket);
    });
    const controller = new AbortController();
    let added = 0;
    const signal = controller.signal;
    const add = signal.addEventListener.bind(signal);
    const remove = signal.removeEventListener.bind(signal);
    signal.addEventListener = (...args: Parameters<typeof add>) => ((added += 1), add(...args));
    signal.removeEventListener = (...args: Parameters<typeof remove>) => ((added -= 1), remove(...args));
    const before = resources();
    for (let i = 0; i < 20; i++) {
      const session = await openTelnet({ ...target, connectTimeoutMs: 5_000, firstByteTimeoutMs: 5_000, signal });
      await session.run('true', { signal, silenceTimeoutMs: 60_000 });
      session.close();
      await session.closed;
    }
    await allGone.promise;
    expect(resources().length).toBeLessThanOrEqual(before.length);
    expect(added).toBe(0);
  });
});

function resources(): string[] {
  return process
    .getActiveResourcesInfo()
    .filter((name) => name === 'TCPSocketWrap' || name === 'Timeout')
    .sort();
}

function rssMiB(): number {
  return process.memoryUsage.rss() / (1 << 20);
}

/** Writes `bytes` of text in lines that never end but with CR, then `last`; goes at the reader's pace. */
function flood(socket: Socket, bytes: number, last: string): void {
  const part = `${'.'.repeat(1_000)}\r`.repeat(60);
  let sent = 0;
  const more = (): void => {
    while (sent < bytes) {
      sent += part.length;
      if (!socket.write(part)) return void socket.once('drain', more);
    }
    socket.write(`\n${last}`);
  };
  more();
}
