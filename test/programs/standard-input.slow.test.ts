import { execFileSync, spawn } from 'node:child_process';
import { createReadStream, openSync, closeSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createWriteStream } from 'node:fs';
import { expect, test } from 'vitest';
import { bin } from '../helpers/cli.js';
import { temporaryFolder } from '../helpers/frisbee.js';
import { fixture } from '../helpers/images.js';

type End = { code: number | null; stderr: string };

/** Runs a program of bin/ as a child; `feed`: a path its standard input is opened from, or bytes that come through a pipe. */
function program(name: string, words: readonly string[], feed: string | Buffer | null): Promise<End> {
  const fd = typeof feed === 'string' ? openSync(feed, 'r') : null;
  const child = spawn(resolve(bin, name), words, { stdio: [fd ?? (feed === null ? 'ignore' : 'pipe'), 'ignore', 'pipe'] });
  if (fd !== null) closeSync(fd);
  child.stdin?.on('error', () => undefined).end(feed);
  let stderr = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  return new Promise((done) => child.once('close', (code) => done({ code, stderr })));
}

/** A FIFO that somebody writes `path` into. */
function fifoOf(folder: string, path: string): { fifo: string; written: Promise<void> } {
  const fifo = join(folder, 'fifo');
  execFileSync('mkfifo', [fifo]);
  return { fifo, written: pipeline(createReadStream(path), createWriteStream(fifo)) };
}

test('imageunzip reads an image from a pipe, from a file as its standard input, and from a FIFO', async () => {
  const folder = temporaryFolder();
  const [image, wanted] = [join(folder, 'x.ndz'), join(folder, 'wanted')];
  writeFileSync(image, fixture('ext4'));
  expect(await program('imaging-imageunzip', [image, wanted], null)).toMatchObject({ code: 0 });
  const whole = readFileSync(wanted);
  const ways: [string, string, string | Buffer | null][] = [
    ['pipe', '-', fixture('ext4')],
    ['file', '-', image],
  ];
  for (const [name, word, feed] of ways) {
    const out = join(folder, name);
    expect(await program('imaging-imageunzip', ['-d', word, out], feed)).toMatchObject({ code: 0 });
    expect(readFileSync(out).equals(whole)).toBe(true);
  }
  const { fifo, written } = fifoOf(folder, image);
  expect(await program('imaging-imageunzip', [fifo, join(folder, 'byname')], null)).toMatchObject({ code: 0 });
  await written;
  expect(readFileSync(join(folder, 'byname')).equals(whole)).toBe(true);
});

test('imagezip saves a disk from a pipe, from a file as its standard input, and from a FIFO', async () => {
  const folder = temporaryFolder();
  const [image, disk] = [join(folder, 'x.ndz'), join(folder, 'disk')];
  writeFileSync(image, fixture('ext4'));
  expect(await program('imaging-imageunzip', [image, disk], null)).toMatchObject({ code: 0 });
  const content = readFileSync(disk);
  const check = async (out: string): Promise<void> => {
    expect(await program('imaging-imageunzip', [out, `${out}.disk`], null)).toMatchObject({ code: 0 });
    expect(readFileSync(`${out}.disk`).equals(content)).toBe(true);
  };
  for (const [name, feed] of [
    ['pipe.ndz', content],
    ['file.ndz', disk],
  ] as const) {
    const out = join(folder, name);
    expect(await program('imaging-imagezip', ['-r', '-', out], feed)).toMatchObject({ code: 0 });
    await check(out);
  }
  const { fifo, written } = fifoOf(folder, disk);
  const out = join(folder, 'fifo.ndz');
  expect(await program('imaging-imagezip', ['-r', fifo, out], null)).toMatchObject({ code: 0 });
  await written;
  await check(out);
});

test('an input that is empty or closed is an error with its reason, and leaves no output', async () => {
  const out = join(temporaryFolder(), 'disk');
  const { code, stderr } = await program('imaging-imageunzip', ['-', out], null);
  expect(code).toBe(1);
  expect(stderr).toMatch(/no chunks/);
  expect(await program('imaging-imagezip', ['-r', '-', out], Buffer.alloc(0))).toMatchObject({ code: 1 });
});
