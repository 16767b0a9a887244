import type { ChildProcessByStdio } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import type { Host } from '../../util/host.js';

type Shell = ChildProcessByStdio<Writable, Readable, null>;

/** Asks whether addresses answer ping. */
export type Pinger = { answers(ip: string, signal: AbortSignal): Promise<boolean>; close(): void };

/**
 * Runs the ping program (words, `{ip}` in them for the address) once for each question; its exit status is the answer.
 * One small shell starts them all: a program costs this process ten times what it costs that one, and stops its event
 * loop meanwhile. No program, no shell: no answer. `warn` is told once when the program itself does not work.
 */
export function createPinger(command: readonly string[], host: Pick<Host, 'spawn'>, warn: (text: string) => void = () => {}): Pinger {
  let warned = false;
  const unusable = (status: string): void => {
    if (!warned)
      warn(
        `the ping probe does not work: ${command[0]} ended with status ${status}; resets are proven by telnet and ssh alone (see networking.ping_command)`,
      );
    warned = true;
  };
  const waiting = new Map<number, (answer: boolean) => void>();
  let shell: Shell | null = null;
  let next = 0;
  const endAll = (): void => {
    shell = null;
    for (const settle of waiting.values()) settle(false);
    waiting.clear();
  };
  const start = (): Shell => {
    const child = host.spawn('sh', ['-s'], { stdio: ['pipe', 'pipe', 'ignore'], detached: true }); // a group of its own, to end its pings with it
    let line = '';
    child.stdin.on('error', () => {}); // it ended: 'close' follows
    child.stdout.setEncoding('latin1').on('data', (text: string) => {
      const lines = (line + text).split('\n');
      line = lines.pop() ?? '';
      for (const each of lines) {
        const [id, status] = each.split(' ');
        if (status !== '0' && status !== '1') unusable(status ?? '');
        waiting.get(Number(id))?.(status === '0');
        waiting.delete(Number(id));
      }
    });
    child.once('error', endAll);
    child.once('close', endAll);
    return child;
  };
  return {
    answers: (ip, signal) =>
      new Promise((resolve) => {
        const id = next++;
        const stop = (): void => {
          waiting.delete(id);
          resolve(false);
        };
        signal.addEventListener('abort', stop, { once: true });
        waiting.set(id, (answer) => {
          signal.removeEventListener('abort', stop);
          resolve(answer);
        });
        const words = command.map((word) => quote(word.replaceAll('{ip}', ip))).join(' ');
        (shell ??= start()).stdin.write(`{ ${words} </dev/null >/dev/null 2>&1; echo ${id} $?; } &\n`);
        if (signal.aborted) stop();
      }),
    close: () => {
      if (!shell) return;
      shell.kill('SIGKILL'); // it may not have its group yet
      if (shell.pid !== undefined) killGroup(shell.pid);
      endAll();
    },
  };
}

function quote(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // it has ended
  }
}
