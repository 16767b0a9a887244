import { execFileSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hasPty, startPty, type PtyOptions } from '../helpers/pty.js';
import { testbedUp, type ChildTestbed } from '../helpers/testbed.js';

/** What a shell says of its terminal: a program that has left it raw shows here. */
const STATE = 'echo "exit $?"; stty -a | tr " ;" "\\n\\n" | grep -xE -- "-?(icanon|echo|isig)" | tr "\\n" " "';
const RESTORED = /exit (\d+)\s+isig icanon echo/;
const HIDE = '\u001b[?25l';
const SHOW = '\u001b[?25h';

describe.skipIf(!hasPty)('the live screen on a terminal', () => {
  let testbed: ChildTestbed;
  beforeAll(async () => {
    testbed = await testbedUp(3, '--boot', '0.3');
  });
  afterAll(() => testbed.close());

  const onPty = (command: string, { env, ...size }: PtyOptions = {}) =>
    startPty(`${command}; ${STATE}`, { ...size, env: { ...testbed.env, ...env } });

  /** Exit code of a command that has given the terminal back as it was: cursor shown, not raw, history not wiped. */
  function exitCode(output: string): number {
    expect(output).toContain(HIDE);
    expect(output.lastIndexOf(SHOW)).toBeGreaterThan(output.lastIndexOf(HIDE));
    expect(output).not.toContain('\u001b[3J');
    expect(output).not.toContain('\u001b[2J');
    return Number(RESTORED.exec(output)?.[1] ?? NaN);
  }

  test('NO_COLOR: no colours, the same words', async () => {
    const pty = onPty('imaging-wait 1-3 -t 60', { env: { NO_COLOR: '1' } });
    await pty.until(/> fit03 +ssh/);
    pty.type('qq');
    const output = await pty.finished;
    expect(output).not.toMatch(/\u001b\[[\d;]*m/);
    expect(exitCode(output)).toBe(130);
  });

  test('q asks; another key goes on; the second q ends the run as Ctrl-C does', async () => {
    const pty = onPty('imaging-wait 1-3 -t 60');
    await pty.until(/> fit03 +ssh/);
    pty.type('q');
    await pty.until(/q again ends the run/);
    const asked = pty.output().length;
    pty.type('x');
    await pty.until(/q: end/, asked);
    pty.type('?');
    await pty.until(/Ctrl-Z stops it/);
    pty.type('\u001b3\r');
    await pty.until(/it has said nothing yet/);
    pty.type('q');
    await pty.until(/q again/, pty.output().length);
    pty.type('q');
    expect(exitCode(await pty.finished)).toBe(130);
  });

  test.each([
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ])('%s gives the terminal back', async (signal, code) => {
    const pty = onPty('sh -c "echo pid \\$\\$; exec imaging-wait 1-3 -t 60"');
    await pty.until(/> fit03 +ssh/);
    process.kill(Number(/pid (\d+)/.exec(pty.output())?.[1]), signal);
    expect(exitCode(await pty.finished)).toBe(code);
  });

  test('Ctrl-C twice: at once, and the terminal is given back nevertheless', async () => {
    const pty = onPty('trap : INT; imaging-wait 1-3 -t 60'); // the shell gets them as well
    await pty.until(/> fit03 +ssh/);
    pty.type('\u0003\u0003');
    expect(exitCode(await pty.finished)).toBe(130);
  });

  test('Ctrl-Z stops it, bg goes on without drawing, fg brings the screen back', async () => {
    const pty = startPty("PS1='READY ' bash --norc --noprofile -i", { env: testbed.env });
    await pty.until(/READY /);
    pty.type('imaging-wait 1-3 -t 60\r');
    await pty.until(/> fit03 +ssh/);
    pty.type('\u001a');
    await pty.until(/Stopped/);
    const stopped = pty.output().length;
    pty.type(`(${STATE})\r`);
    await pty.until(/exit \d+\s+isig icanon/, stopped);
    pty.type('bg\r');
    await pty.until(/imaging-wait[^\n]*&/, stopped);
    pty.type('imaging-status 1\r');
    await pty.until(/reboot01:off/, stopped);
    const before = pty.output().length;
    expect(pty.output().slice(stopped, before)).not.toContain('fit03');
    pty.type('fg\r');
    await pty.until(/> fit03 +ssh/, before);
    pty.type('qq');
    await pty.until(/READY $/, before);
    pty.type('exit\r');
    const output = await pty.finished;
    expect(output.lastIndexOf(SHOW)).toBeGreaterThan(output.lastIndexOf(HIDE));
  });

  test('a terminal of five rows and forty columns', async () => {
    const pty = onPty('imaging-wait 1-3 -t 60', { columns: 40, rows: 5 });
    await pty.until(/\.\.\. 2 more: 2 active/);
    pty.type('qq');
    expect(exitCode(await pty.finished)).toBe(130);
  });

  test('a terminal that becomes smaller: the old frame goes, as broken as it is by then, and nothing else', async () => {
    const pty = onPty('tty; imaging-wait 1-3 -t 60', { rows: 12 });
    await pty.until(/> fit03 +ssh[^]*help[^]*2026l/);
    const [tty = ''] = /\/dev\/\S+/.exec(pty.output()) ?? [];
    execFileSync('stty', ['-F', tty, 'rows', '10', 'cols', '30']);
    await pty.until(/q {2}f {2}l {2}\?: help/);
    const [, before = '', after = ''] = /^([^]*)\u001b\[\?2026l((?:\u001b\[\?25h)+(?:\u001b\[1A\u001b\[2K)+\r)/.exec(pty.output()) ?? [];
    const frame = before
      .slice(before.lastIndexOf('\u001b[?2026h'))
      .replace(/\u001b\[[\d;?]*[a-zA-Z]/g, '')
      .split('\r\n')
      .slice(0, -1);
    expect(frame).toHaveLength(6);
    const broken = frame.reduce((sum, line) => sum + Math.ceil(line.length / 30), 0);
    expect(after.split('\u001b[1A\u001b[2K')).toHaveLength(broken + 1);
    expect(pty.output()).not.toContain('\u001b[J'); // some terminals keep in their history what that clears
    pty.type('qq');
    expect(exitCode(await pty.finished)).toBe(130);
  });

  test('a build server gets plain lines', async () => {
    const output = await onPty('imaging-status 1-3 -v', { env: { CI: 'true' } }).finished;
    expect(output).not.toContain('\u001b');
    expect(output).toMatch(/fit01 cmc/);
  });

  test('following a run: q leaves it alone', async () => {
    const wait = testbed.start('imaging-wait', ['1-3', '-t', '60', '--progress', 'json']);
    await wait.event((event) => event.type === 'target.step');
    const pty = onPty('imaging-runs attach');
    await pty.until(/> fit03 +ssh/);
    pty.type('q');
    const output = await pty.finished;
    expect(exitCode(output)).toBe(0);
    expect(output).toMatch(/run \S+ goes on/);
    wait.child.kill('SIGINT');
    expect((await wait.finished).code).toBe(130);
  });

  test('imaging-monitor: its own screen, and q', async () => {
    const pty = onPty('imaging-monitor --cycle 0.3');
    await pty.until(/\. fit03 +off/);
    pty.type('3\r');
    await pty.until(/what changed/);
    pty.type('q');
    expect(exitCode(await pty.finished)).toBe(0);
  });

  test('a load, from beginning to end', async () => {
    const output = await onPty('imaging-load 1-3').finished;
    expect(exitCode(output)).toBe(0);
    expect(output).toMatch(/imaging-load +[\d.]+ s +0 ok, 3 active of 3/);
    expect(output).toMatch(/> fit02 +write +#*\.* +\d+ %/);
    expect(output).toContain('\u001b[1mimaging-load');
    expect(output).toMatch(/ok +3 +1-3/);
    for (const frame of output.split('\u001b[?2026h')) expect(frame.split('\u001b[?2026l')[0]?.split('\n').length).toBeLessThan(24);
  });
});
