// Records a real load on an emulated testbed as an asciicast (version 2), for docs/.
//   node scripts/record-demo.mjs [FILE]       (default docs/monitor.cast; play it with: asciinema play FILE)
// Needs script(1) of util-linux >= 2.35.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { setTimeout as sleep } from 'node:timers/promises';

const [columns, rows] = [80, 24];
const MAX_BYTES = 100_000;
/** What is written so close together is one frame. */
const SAME_FRAME_S = 0.03;
const root = fileURLToPath(new URL('..', import.meta.url));
const file = process.argv[2] ?? join(root, 'docs/monitor.cast');
const dir = mkdtempSync(join(tmpdir(), 'record-demo-'));
const command = 'imaging-load -i demo 1-12 -b 7';
const testbed = spawn(
  process.execPath,
  [
    join(root, 'bin/imaging-testbed'),
    'up',
    '30',
    '--dir',
    join(dir, 'testbed'),
    '--shell',
    'builtin',
    '--boot',
    '1',
    '--fault',
    'fit07:cmc-silent',
    '--fault',
    'fit10:reset-ignored',
  ],
  { stdio: ['ignore', 'pipe', 'inherit'] },
);
try {
  testbed.stdout.setEncoding('utf8');
  for (let text = ''; !text.includes('Ctrl-C ends it'); ) text += (await once(testbed.stdout, 'data'))[0];
  const env = {
    ...process.env,
    IMAGING_CONFIG: join(dir, 'testbed/imaging.conf'),
    PATH: `${join(root, 'bin')}:${process.env.PATH}`,
    TERM: 'xterm-256color',
    SHELL: '/bin/sh',
    NODES: '',
    ALL_NODES: '',
  };
  for (const name of ['CI', 'NO_COLOR', 'TMUX']) delete env[name];
  const recorder = spawn(
    'script',
    ['-qe', '--log-out', join(dir, 'out'), '--log-timing', join(dir, 'timing'), '-c', `stty rows ${rows} cols ${columns}; ${command}`],
    { cwd: dir, env, stdio: ['pipe', 'ignore', 'inherit'] },
  );
  const ended = once(recorder, 'exit');
  // what a person would press: the number of a node, enter for its log, and back
  for (const [afterMs, keys] of [
    [6_000, '3'],
    [1_500, '\r'],
    [3_000, '\u001b'],
    [500, '\u001b'],
  ]) {
    await sleep(afterMs);
    recorder.stdin.write(keys);
  }
  await ended;
  writeFileSync(file, cast(readFileSync(join(dir, 'out')), readFileSync(join(dir, 'timing'), 'latin1')));
  const bytes = readFileSync(file).length;
  console.log(`${file}: ${bytes} bytes`);
  if (bytes > MAX_BYTES) throw new Error(`that is more than ${MAX_BYTES} bytes`);
} finally {
  testbed.kill('SIGTERM');
  await once(testbed, 'exit');
  rmSync(dir, { recursive: true, force: true });
}

/** The recorded bytes as asciicast events: seconds since the start, and what was written then. */
function cast(output, timing) {
  const header = { version: 2, width: columns, height: rows, title: command, env: { TERM: 'xterm-256color' } };
  const lines = [JSON.stringify(header), JSON.stringify([0, 'o', `$ ${command}\r\n`])];
  let at = output.indexOf('\n') + 1; // script's own first line
  let seconds = 0.5;
  let [since, piece] = [0, ''];
  const flush = () => {
    if (piece !== '') lines.push(JSON.stringify([Math.round(since * 1000) / 1000, 'o', piece.replaceAll(dir, '/tmp')]));
    piece = '';
  };
  for (const line of timing.trim().split('\n')) {
    const [pause, length] = line.split(' ').map(Number);
    seconds += pause;
    if (piece === '' || seconds - since > SAME_FRAME_S) {
      flush();
      since = seconds;
    }
    piece += output.subarray(at, at + length).toString('utf8');
    at += length;
  }
  flush();
  return `${lines.join('\n')}\n`;
}
