import { Writable } from 'node:stream';
import { expect, test } from 'vitest';
import type { CommandContext } from '../../../src/cli/kit/command.js';
import { ProgressBar } from '../../../src/cli/kit/progress-bar.js';
import { systemHost } from '../../../src/util/host.js';

/** A bar on a terminal or not, with a clock of its own. */
function open(
  isTTY: boolean,
  quiet = false,
  env: Record<string, string> = {},
): { bar: ProgressBar; text: () => string; at: (ms: number) => void } {
  let [text, now] = ['', 1000];
  const stream = new Writable({
    write: (piece: Buffer, _, done) => {
      text += piece.toString();
      done();
    },
  });
  const stderr = Object.assign(stream, { isTTY, columns: 80 }) as unknown as NodeJS.WriteStream; // as: all that the bar looks at
  const context: CommandContext = {
    host: { ...systemHost, env, monotonicMs: () => now },
    stdout: stream,
    stderr,
    signal: new AbortController().signal,
    argv: [],
    commands: [],
  };
  return { bar: new ProgressBar(context, 'zip', quiet), text: () => text, at: (ms) => void (now = 1000 + ms) };
}

test('on a terminal is one line, painted over four times a second at most, and gone at the end', () => {
  const { bar, text, at } = open(true);
  for (let ms = 0; ms <= 10_000; ms += 10) {
    at(ms);
    bar.update(ms * 10_000, 100_000_000);
  }
  bar.end();
  expect(text()).not.toContain('\n');
  const frames = text().split('\r').slice(1);
  expect(frames.length).toBe(42);
  expect(frames[20]).toBe('zip [###############...............]  50 %  50.0 MB, 10.0 MB/s, 5.0 s left\u001b[K');
  expect(frames.every((frame) => frame.replace('\u001b[K', '').length <= 79)).toBe(true);
  expect(frames.at(-1)).toBe('\u001b[K');
});

test('without a total shows what is done', () => {
  const { bar, text, at } = open(true);
  at(2000);
  bar.update(5_000_000, null);
  expect(text()).toBe('\rzip 5.0 MB, 2.5 MB/s\u001b[K');
});

test('elsewhere is a line at every tenth', () => {
  for (const { bar, text, at } of [open(false), open(true, false, { TERM: 'dumb' })]) {
    for (let done = 0; done <= 1000; done += 7) {
      at(done * 10);
      bar.update(done * 1e6, 1e9);
    }
    bar.update(1e9, 1e9);
    bar.end();
    expect(
      text()
        .split('\n')
        .map((line) => line.split(',')[0]),
    ).toEqual([...Array.from({ length: 10 }, (_, i) => `zip ${(i + 1) * 10} %`), '']);
  }
});

test('says nothing when it shall be quiet', () => {
  const { bar, text } = open(true, true);
  bar.update(5, 10);
  bar.end();
  expect(text()).toBe('');
});
