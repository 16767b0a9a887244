import { readFileSync, readdirSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { openTelnet, type TelnetSession } from '../../src/telnet/session.js';
import { findBusyboxTelnetd, startTelnetd, withResolvers } from './servers.js';

const never = new AbortController().signal;
const busybox = findBusyboxTelnetd();
if (!busybox)
  process.stderr.write(
    'skipped: real telnetd tests, as no busybox with a telnetd is here (Debian: busybox-static, or set BUSYBOX=/path/to/busybox)\n',
  );

const SHELLS: [string, string][] = [
  ['busybox ash', `${busybox} sh`],
  ['dash', '/bin/sh'],
  ['bash', 'bash --norc --noprofile'],
];

describe.skipIf(!busybox).each(SHELLS)('real busybox telnetd with %s', (name, shell) => {
  const host = `127.23.1.${SHELLS.findIndex(([known]) => known === name) + 1}`;
  let telnetd: Awaited<ReturnType<typeof startTelnetd>>;
  const sessions: TelnetSession[] = [];

  beforeAll(async () => {
    telnetd = await startTelnetd(busybox ?? '', shell, host);
  });
  afterAll(() => telnetd.close());
  afterEach(async () => {
    for (const session of sessions.splice(0)) {
      session.close();
      await session.closed;
    }
  });

  async function open(): Promise<TelnetSession> {
    const session = await openTelnet({
      host: telnetd.host,
      port: telnetd.port,
      connectTimeoutMs: 10_000,
      firstByteTimeoutMs: 10_000,
      signal: never,
    });
    sessions.push(session);
    return session;
  }

  test('brings every exit status, one after the other in one session', async () => {
    const session = await open();
    for (const [command, status] of [
      ['true', 0],
      ['(exit 7)', 7],
      ['sh -c "exit 255"', 255],
      ['nosuchprogram', 127],
      [': ', 0],
    ] as const) {
      expect(await session.run(command, { signal: never, silenceTimeoutMs: 10_000 }), command).toEqual({ status });
    }
  });

  test('is right with a command line much wider than 80 columns', async () => {
    const session = await open();
    const lines: string[] = [];
    await session.run(`echo ${'long '.repeat(60)}end`, { signal: never, silenceTimeoutMs: 10_000, onLine: (line) => lines.push(line) });
    expect(lines.filter((line) => line.endsWith('long end')).at(-1)).toMatch(/^(\S*# )?(long ){60}end$/);
  });

  test('streams 10 000 lines, all of them and in order', async () => {
    const session = await open();
    const numbers: number[] = [];
    const { status } = await session.run('i=0; while [ $i -lt 10000 ]; do echo line $i; i=$((i+1)); done', {
      signal: never,
      silenceTimeoutMs: 20_000,
      onLine: (line) => {
        const number = /line (\d+)$/.exec(line)?.[1];
        if (number) numbers.push(Number(number));
      },
    });
    expect(status).toBe(0);
    expect(numbers).toEqual(Array.from({ length: 10_000 }, (_, index) => index));
  });

  test('sees CR progress as lines, and dots without a line end as text', async () => {
    const session = await open();
    const lines: string[] = [];
    let text = '';
    const { status } = await session.run("printf '10%%\\r20%%\\r'; printf '.....'; (exit 9)", {
      signal: never,
      silenceTimeoutMs: 10_000,
      onLine: (line) => lines.push(line),
      onText: (part) => (text += part),
    });
    expect(status).toBe(9);
    expect(lines.slice(-2)).toEqual(['20%', '.....']);
    expect(lines.at(-3)).toMatch(/10%$/);
    expect(text).toContain('10%\r20%\r.....');
    expect(text).not.toContain('\x1b');
  });

  test('survives bytes FF and binary noise in the output', async () => {
    const session = await open();
    const { status } = await session.run("printf '\\377\\377\\360\\033]\\200\\033[';(exit 3)", { signal: never, silenceTimeoutMs: 10_000 });
    expect(status).toBe(3);
    expect(await session.run('true', { signal: never, silenceTimeoutMs: 10_000 })).toEqual({ status: 0 });
  });

  test('an aborted command is gone from the machine', async () => {
    const session = await open();
    const controller = new AbortController();
    const seconds = 9_000_000 + Math.floor(Math.random() * 900_000);
    const started = withResolvers();
    const run = session.run(`echo go-""ahead; sleep ${seconds}`, {
      signal: controller.signal,
      onLine: (line) => line.endsWith('go-ahead') && started.resolve(),
    });
    await started.promise;
    const reason = new Error('stop');
    controller.abort(reason);
    await expect(run).rejects.toBe(reason);
    while (runs(`sleep\0${seconds}`)) await delay(10); // another program's child: nothing tells us but /proc
  });

  test('reports a telnetd that is killed in the middle of a command', async () => {
    const victim = await startTelnetd(busybox ?? '', shell, host);
    const session = await openTelnet({
      host: victim.host,
      port: victim.port,
      connectTimeoutMs: 10_000,
      firstByteTimeoutMs: 10_000,
      signal: never,
    });
    sessions.push(session);
    const started = withResolvers();
    const run = session.run('echo go-""ahead; sleep 20', {
      signal: never,
      onLine: (line) => line.endsWith('go-ahead') && started.resolve(),
    });
    await started.promise;
    const failed = expect(run).rejects.toMatchObject({ code: 'telnet-closed' });
    await victim.close();
    await failed;
  });
});

/** Whether some process has this command line (arguments separated by NUL). */
function runs(commandLine: string): boolean {
  return readdirSync('/proc').some((entry) => {
    if (!/^\d+$/.test(entry)) return false;
    try {
      return readFileSync(`/proc/${entry}/cmdline`, 'latin1').startsWith(commandLine);
    } catch {
      return false; // ended while we looked
    }
  });
}
