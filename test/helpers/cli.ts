import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll } from 'vitest';
import type { ImagingEvent } from '../../src/events/types.js';

export const bin = fileURLToPath(new URL('../../bin', import.meta.url));

export type Finished = { code: number | null; signal: NodeJS.Signals | null; stdout: string; stderr: string; events: ImagingEvent[] };

export type Running = {
  child: ChildProcessWithoutNullStreams;
  finished: Promise<Finished> /** Resolves with the first JSON event that matches. */;
  event(match: (event: ImagingEvent) => boolean): Promise<ImagingEvent>;
};

export type RunOptions = { env?: Record<string, string | undefined>; cwd?: string };

/** Starts a command of bin/, or any program by its path, as a child process, the way a person or a script does. */
export function start(name: string, args: readonly string[], options: RunOptions = {}): Running {
  const child = spawn(resolve(bin, name), args, {
    cwd: options.cwd ?? scratch(),
    env: { ...process.env, NODES: undefined, ALL_NODES: undefined, ...options.env },
  });
  const events: ImagingEvent[] = [];
  const watchers = new Set<(event: ImagingEvent) => void>();
  let [stdout, stderr, line] = ['', '', ''];
  child.stdin.on('error', () => {});
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
    line += text;
    for (let end = line.indexOf('\n'); end >= 0; end = line.indexOf('\n')) {
      const event = parseEvent(line.slice(0, end));
      line = line.slice(end + 1);
      if (!event) continue;
      events.push(event);
      for (const watcher of watchers) watcher(event);
    }
  });
  const finished = new Promise<Finished>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve({ code, signal, stdout, stderr, events }));
  });
  const event = (match: (event: ImagingEvent) => boolean): Promise<ImagingEvent> =>
    new Promise((resolve, reject) => {
      const seen = events.find(match);
      if (seen) return resolve(seen);
      const watcher = (candidate: ImagingEvent): void => {
        if (match(candidate)) resolve(candidate);
      };
      watchers.add(watcher);
      void finished.then((end) =>
        reject(new Error(`ended with ${end.code} before the event came\n${end.stdout.slice(-2_000)}\n${end.stderr.slice(-2_000)}`)),
      );
    });
  return { child, finished, event };
}

export function run(name: string, args: readonly string[], options: RunOptions = {}): Promise<Finished> {
  const running = start(name, args, options);
  running.child.stdin.end();
  return running.finished;
}

function parseEvent(line: string): ImagingEvent | null {
  if (!line.startsWith('{')) return null;
  try {
    const parsed: unknown = JSON.parse(line);
    return typeof parsed === 'object' && parsed !== null && 'type' in parsed && 'seq' in parsed ? (parsed as ImagingEvent) : null; // as: only these have both
  } catch {
    return null;
  }
}

const folders: string[] = [];

/** A new temporary folder, removed when the test file ends. */
export function scratch(): string {
  const dir = mkdtempSync(join(tmpdir(), 'imaging-test-'));
  folders.push(dir);
  return dir;
}

afterAll(() => {
  for (const dir of folders.splice(0)) rmSync(dir, { recursive: true, force: true });
});
