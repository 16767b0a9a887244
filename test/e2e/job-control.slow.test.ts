import { readdirSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hasPty, startPty, type Pty } from '../helpers/pty.js';
import { testbedUp, type ChildTestbed } from '../helpers/testbed.js';

/** What a shell says of its terminal: a program that has left it raw shows here. */
const STATE = '(stty -a | tr " ;" "\\n\\n" | grep -xE -- "-?(icanon|echo|isig)" | tr "\\n" " ")';
const COOKED = /isig icanon echo/;
const HIDE = '\u001b[?25l';
const SHOW = '\u001b[?25h';

describe.skipIf(!hasPty)(
  `stopping and going on${hasPty ? '' : ' (skipped: no program script, of util-linux)'}`,
  { timeout: 60_000 },
  () => {
    let testbed: ChildTestbed;
    beforeAll(async () => {
      testbed = await testbedUp(3, '--boot', '0.3');
    });
    afterAll(() => testbed.close());

    /** An interactive shell on a terminal of its own, with a wait for nodes that are off begun in it by `line`. */
    async function begin(line: string): Promise<Pty> {
      const pty = startPty("PS1='READY ' bash --norc --noprofile -i", { env: testbed.env });
      await pty.until(/READY /);
      pty.type(`${line}\r`);
      await pty.until(/> fit03 +ssh/);
      return pty;
    }

    /** Types a line for the shell; resolves with where its output begins once that matches. */
    async function say(pty: Pty, line: string, answer: RegExp): Promise<number> {
      const from = pty.output().length;
      pty.type(`${line}\r`);
      await pty.until(answer, from);
      return from;
    }

    /** The screen is back, takes keys one by one, and ends the run; then the shell has its terminal as it was. */
    async function endFrom(pty: Pty, from: number): Promise<string> {
      await pty.until(/> fit03 +ssh/, from);
      pty.type('?');
      await pty.until(/Ctrl-Z stops it/, from);
      pty.type('\u001b');
      await pty.until(/q: end/, from);
      pty.type('qq');
      await pty.until(/READY $/, from);
      await say(pty, STATE, COOKED);
      pty.type('exit\r');
      const output = await pty.finished;
      expect(output.lastIndexOf(SHOW)).toBeGreaterThan(output.lastIndexOf(HIDE));
      return output;
    }

    const WAIT = 'imaging-wait 1-3 -t 90';
    const lines: [what: string, line: string][] = [
      ['from the shell', WAIT],
      ['by a script', `bash -c '${WAIT}; echo IN=$?'`],
      ['by imaging-testbed run', `imaging-testbed run 3 --boot 0.3 -- ${WAIT}`],
      ['by a script in a script', `bash -c "bash -c '${WAIT}; echo IN=\\$?'; echo OUT"`],
    ];

    test.each(lines)('started %s: Ctrl-Z, fg', async (what, line) => {
      const pty = await begin(line);
      pty.type('\u001a');
      await pty.until(/Stopped/);
      await say(pty, STATE, COOKED);
      expect(stopped(pty)).toEqual([true]);
      const output = await endFrom(pty, await say(pty, 'fg', /\n/));
      if (what.includes('script')) expect(output).toMatch(/IN=130/);
    });

    test.each(lines)('started %s: Ctrl-Z, bg, fg, and the same again', async (_what, line) => {
      const pty = await begin(line);
      let from = 0;
      for (let round = 0; round < 2; round++) {
        pty.type('\u001a');
        await pty.until(/Stopped/, from);
        const background = await say(pty, 'bg', /&\r?\n/);
        await say(pty, 'imaging-status 1', /reboot01:off/);
        expect(stopped(pty)).toEqual([false]);
        expect(pty.output().slice(background)).not.toContain('fit03');
        from = await say(pty, 'fg', /\n/);
        await pty.until(/> fit03 +ssh/, from);
      }
      await endFrom(pty, from);
    });

    test.each(lines.slice(0, 2))('started %s: SIGTSTP and SIGSTOP from others, to the program or to its job', async (_what, line) => {
      const pty = await begin(line);
      const pid = pidOf(pty);
      let from = 0;
      for (const [target, signal] of [
        [-groupOf(pid), 'SIGTSTP'],
        [-groupOf(pid), 'SIGSTOP'],
        [-groupOf(pid), 'SIGTSTP'],
      ] as const) {
        process.kill(target, signal);
        await pty.until(/Stopped/, from);
        await say(pty, STATE, COOKED);
        from = await say(pty, 'fg', /\n/);
        await pty.until(/> fit03 +ssh/, from);
      }
      await endFrom(pty, from);
    });

    test('the program alone is stopped, and goes on when somebody says so', async () => {
      const pty = await begin(`bash -c '${WAIT}; echo IN=$?'`);
      const pid = pidOf(pty);
      for (const signal of ['SIGTSTP', 'SIGSTOP'] as const) {
        process.kill(pid, signal);
        await expect.poll(() => stateOf(pid), { timeout: 10_000, interval: 20 }).toBe('T');
        const from = pty.output().length;
        process.kill(pid, 'SIGCONT');
        await pty.until(/> fit03 +ssh/, from);
      }
      expect(await endFrom(pty, pty.output().length - 1)).toMatch(/IN=130/);
    });

    test('where nobody could make it go on, Ctrl-Z stops nothing', async () => {
      const pty = startPty(`${WAIT}; echo "exit $?"; ${STATE}`, { env: testbed.env });
      await pty.until(/> fit03 +ssh/);
      pty.type('\u001a');
      const from = pty.output().length;
      await pty.until(/> fit03 +ssh/, from);
      pty.type('qq');
      const output = await pty.finished;
      expect(output).toMatch(/exit 130/);
      expect(output).toMatch(COOKED);
    });

    test('a load that is stopped in its write goes on and gives its locks back', async () => {
      const pty = startPty("PS1='READY ' bash --norc --noprofile -i", { env: testbed.env });
      await pty.until(/READY /);
      pty.type("bash -c 'imaging-load -i demo 1-3 -b 40 --verify none; echo IN=$?'\r");
      await pty.until(/> fit03 +write/);
      pty.type('\u001a');
      await pty.until(/Stopped/);
      const from = await say(pty, 'fg', /\n/);
      await pty.until(/IN=0/, from);
      expect(testbed.links()).toEqual([]);
      pty.type('exit\r');
      expect(await pty.finished).toMatch(/ok +3 +1-3/);
    }, 90_000);

    /** The wait that runs on a terminal, found by that terminal. */
    function waits(pty: Pty): number[] {
      const shell = childrenOf(pty.pid)[0] ?? 0;
      const tty = fields(shell)[4];
      return readdirSync('/proc')
        .filter((name) => /^\d+$/.test(name))
        .map(Number)
        .filter(
          (pid) =>
            fields(pid)[4] === tty &&
            commandLine(pid).some((word) => word.endsWith('/imaging-wait')) &&
            /node/.test(commandLine(pid)[0] ?? ''),
        );
    }

    function pidOf(pty: Pty): number {
      const [pid, ...more] = waits(pty);
      if (pid === undefined || more.length > 0) throw new Error(`not one imaging-wait: ${String(waits(pty))}`);
      return pid;
    }

    const stopped = (pty: Pty): boolean[] => waits(pty).map((pid) => stateOf(pid) === 'T');
  },
);

/** Fields of /proc/PID/stat from the state (0) on: 1 parent, 2 group, 4 terminal. */
function fields(pid: number): string[] {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  } catch {
    return []; // it has ended
  }
}

const stateOf = (pid: number): string | undefined => fields(pid)[0];
const groupOf = (pid: number): number => Number(fields(pid)[2]);

function childrenOf(parent: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => Number(fields(pid)[1]) === parent);
}

function commandLine(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  } catch {
    return [];
  }
}
