// Measures whole commands: wall and CPU seconds by bash's own accounting of the finished child, peak memory from /proc.
import { spawn } from 'node:child_process';
import { randomFillSync } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { deflateSync } from 'node:zlib';

export const root = fileURLToPath(new URL('..', import.meta.url));
export const bin = (name) => join(root, 'bin', name);

/** Runs a command once; { code, wallS, cpuS, rssMB, stdout }. */
export function measure(command, args, { env = {}, cwd = '/tmp' } = {}) {
  return new Promise((resolve, reject) => {
    const script = 'TIMEFORMAT="%R %U %S"; { time "$@" 2>/dev/null 9>&-; } 2>&9; exit $?';
    const child = spawn('bash', ['-c', `exec 9>&3; ${script}`, 'bash', command, ...args], {
      stdio: ['ignore', 'pipe', 'inherit', 'pipe'],
      env: { ...process.env, ...env },
      cwd,
    });
    let [stdout, times, rssKB] = ['', '', 0];
    child.stdout.on('data', (text) => (stdout += text));
    child.stdio[3].on('data', (text) => (times += text));
    const sample = setInterval(() => {
      try {
        for (const pid of readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'latin1').trim().split(' ')) {
          const peak = /VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'latin1'));
          rssKB = Math.max(rssKB, Number(peak?.[1] ?? 0));
        }
      } catch {
        // it has just ended
      }
    }, 20);
    child.once('error', reject);
    child.once('close', (code) => {
      clearInterval(sample);
      const [wallS, userS, sysS] = times.trim().split(/\s+/).slice(-3).map(Number);
      resolve({ code, wallS, cpuS: userS + sysS, rssMB: rssKB / 1024, stdout });
    });
  });
}

/** What a chunk of `makeImage` inflates to. */
export const CHUNK_DATA_BYTES = 1_843_200;

/** Chunks of about 0.9 MiB of random bytes and as much text each. */
export function makeImage(path, chunks) {
  const data = Buffer.alloc(CHUNK_DATA_BYTES, 'some line of compressible text\n');
  const pieces = [];
  for (let index = 0; index < chunks; index++) {
    randomFillSync(data, 0, data.length / 2);
    const stream = deflateSync(data, { level: 1 });
    const chunk = Buffer.alloc(1 << 20);
    const sectors = data.length / 512;
    [0x6969696b, stream.length, index, 0, 4096, 1, index * sectors, (index + 1) * sectors, 0, index * sectors, sectors].forEach(
      (value, i) => chunk.writeUInt32LE(value, 4 * i),
    );
    stream.copy(chunk, 4096);
    pieces.push(chunk);
  }
  writeFileSync(path, Buffer.concat(pieces));
}

export const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];

/** Several runs of A and B in turn; the medians and the ratio of each pair, its median. */
export async function pair(runs, a, b) {
  const [as, bs] = [[], []];
  for (let i = 0; i < runs; i += 1) {
    as.push(await a());
    bs.push(await b());
  }
  const of = (list, key) => median(list.map((one) => one[key]));
  return {
    a: { wallS: of(as, 'wallS'), cpuS: of(as, 'cpuS') },
    b: { wallS: of(bs, 'wallS'), cpuS: of(bs, 'cpuS') },
    cpuRatio: median(as.map((one, i) => one.cpuS / bs[i].cpuS)),
  };
}

/** Starts an emulated testbed in a process of its own; { env, stop }. */
export async function testbed(count, options = []) {
  const child = spawn(process.execPath, [bin('imaging.js'), 'testbed', 'up', String(count), ...options], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let text = '';
  await new Promise((resolve, reject) => {
    child.stdout.on('data', (more) => {
      text += more;
      if (text.includes('Ctrl-C ends it')) resolve();
    });
    child.once('exit', (code) => reject(new Error(`the testbed ended with ${code}`)));
  });
  const env = Object.fromEntries([...text.matchAll(/export (\w+)=(".*")/g)].map(([, name, value]) => [name, JSON.parse(value)]));
  return {
    env,
    stop: () =>
      new Promise((resolve) => {
        child.removeAllListeners('exit');
        child.once('exit', resolve);
        child.kill('SIGTERM');
      }),
  };
}

export function print(title, rows) {
  console.log(`\n## ${title}\n`);
  for (const row of rows) console.log(row);
}
