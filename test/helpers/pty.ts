import { spawn, spawnSync } from 'node:child_process';
import { bin, scratch } from './cli.js';

/** Whether util-linux's script(1) is there, which gives a program a terminal. */
export const hasPty = spawnSync('script', ['--version']).status === 0;

export type PtyOptions = { columns?: number; rows?: number; env?: Record<string, string | undefined> };

export type Pty = {
  /** Of the program that has the other end of the terminal. */
  pid: number;
  /** Everything that the terminal was sent so far. */
  output(): string;
  /** Resolves once the output, from `after` on, matches. */
  until(pattern: RegExp, after?: number): Promise<void>;
  type(keys: string): void;
  /** All output, once the terminal is closed. */
  finished: Promise<string>;
};

/** Runs a shell command on a terminal of its own. Commands of bin/ are in PATH. */
export function startPty(command: string, { columns = 80, rows = 24, env = {} }: PtyOptions = {}): Pty {
  const child = spawn('script', ['-qec', `stty rows ${rows} cols ${columns}; ${command}`, '/dev/null'], {
    cwd: scratch(),
    env: {
      ...process.env,
      TERM: 'xterm',
      SHELL: '/bin/sh',
      CI: undefined,
      NO_COLOR: undefined,
      NODES: undefined,
      ALL_NODES: undefined,
      ...env,
      PATH: `${bin}:${process.env.PATH}`,
    },
  });
  let text = '';
  const watchers = new Set<() => void>();
  child.stdin.on('error', () => {});
  child.stdout.setEncoding('utf8').on('data', (more: string) => {
    text += more;
    for (const watcher of watchers) watcher();
  });
  const finished = new Promise<string>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', () => resolve(text));
  });
  return {
    pid: child.pid ?? 0,
    output: () => text,
    until: (pattern, after = 0) =>
      new Promise((resolve, reject) => {
        const watcher = (): void => {
          if (!pattern.test(text.slice(after))) return;
          watchers.delete(watcher);
          resolve();
        };
        watchers.add(watcher);
        watcher();
        void finished.then(() => reject(new Error(`${String(pattern)} did not come: ${JSON.stringify(text.slice(-2_000))}`)));
      }),
    type: (keys) => void child.stdin.write(keys),
    finished,
  };
}
