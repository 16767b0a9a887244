// Throughput of the frisbee server and client: on loopback, in network namespaces when root, and against the real
// programs when IMAGING_REAL_FRISBEE names their folder. Usage: node bench/frisbee.mjs [MiB of image, default 160]
import { execFileSync, spawn } from 'node:child_process';
import { randomFillSync } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { deflateSync } from 'node:zlib';

const executable = fileURLToPath(new URL('../bin/imaging.js', import.meta.url));
const realFolder = process.env.IMAGING_REAL_FRISBEE;
const folder = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'imaging-bench-'));
const image = join(folder, 'image.ndz');
const HOSTS = 5;
const TICK_MS = 10; // of /proc/<pid>/stat
const STOCK_KB = '208'; // net.core.rmem_max of a stock kernel

/** Chunks of about 0.9 MiB of random bytes and as much text each. */
function makeImage(chunks) {
  const data = Buffer.alloc(1_843_200, 'some line of compressible text\n');
  const pieces = [];
  for (let index = 0; index < chunks; index++) {
    randomFillSync(data, 0, data.length / 2);
    const stream = deflateSync(data, { level: 1 });
    const chunk = Buffer.alloc(1 << 20);
    const sectors = data.length / 512;
    [0x6969696b, stream.length, index, 0, 4096, 1, index * sectors, (index + 1) * sectors, 0, index * sectors, sectors].forEach((value, i) => chunk.writeUInt32LE(value, 4 * i));
    stream.copy(chunk, 4096);
    pieces.push(chunk);
  }
  writeFileSync(image, Buffer.concat(pieces));
}

function cpuMs(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
  } catch {
    return null;
  }
}

/** Starts a program and follows its CPU time until it ends. */
function start(command) {
  const child = spawn(command[0], command.slice(1), { stdio: ['ignore', 'ignore', 'pipe'] });
  let stderr = '';
  let cpu = 0;
  child.stderr.on('data', (data) => (stderr += data));
  const timer = setInterval(() => (cpu = cpuMs(child.pid) ?? cpu), 20);
  const done = new Promise((resolve) => child.on('close', (code) => {
    clearInterval(timer);
    resolve({ code, stderr, cpuMs: cpu });
  }));
  return { done, pid: child.pid, text: () => stderr, kill: (signal) => child.kill(signal) };
}

async function until(condition) {
  for (let i = 0; i < 500 && !condition(); i++) await new Promise((resolve) => setTimeout(resolve, 20));
}

let port = 15_000 + (process.pid % 1000) * 20;

/** One transfer; `at(host)` is the command prefix and the address of a host, 1 being the server's. */
async function transfer({ server, client, clients, serverOptions, clientOptions = [], at }) {
  port++;
  const session = (host) => ['-i', at(host).address, '-m', '239.1.2.3', '-p', String(port)];
  const serving = start([...at(1).prefix, ...server, '-d', '-T', '-1', ...serverOptions, ...session(1), image]);
  await until(() => serving.text().includes('Using Multicast'));
  const serverCpu = cpuMs(serving.pid);
  const began = performance.now();
  const running = Array.from({ length: clients }, (_, i) => start([...at(i + 2).prefix, ...client, '-q', ...clientOptions, ...session(i + 2), join(folder, `out${i}`)]));
  const ended = await Promise.all(running.map(({ done }) => done));
  const seconds = (performance.now() - began) / 1000;
  const usedMs = cpuMs(serving.pid) - serverCpu;
  serving.kill('SIGTERM');
  const { stderr } = await serving.done;
  for (let i = 0; i < clients; i++) rmSync(join(folder, `out${i}`), { force: true });
  const blocks = Number(/1k blocks sent: +(\d+)/.exec(stderr)?.[1]);
  const size = statSync(image).size;
  return {
    ok: ended.every(({ code }) => code === 0),
    mbps: size / 1e6 / seconds,
    serverUs: (usedMs * 1000) / blocks,
    clientUs: (ended.reduce((sum, { cpuMs: used }) => sum + used, 0) * 1000) / clients / blocks,
    sent: blocks / (size / 1024),
  };
}

function print(what, { ok, mbps, serverUs, clientUs, sent }) {
  console.log(`${what.padEnd(58)} ${ok ? '' : 'FAILED '}${mbps.toFixed(1).padStart(6)} MB/s  server ${serverUs.toFixed(1).padStart(5)} us/block  client ${clientUs.toFixed(1).padStart(5)} us/block  sent x${sent.toFixed(3)}`);
}

const ours = { frisbeed: [process.execPath, executable, 'frisbeed'], frisbee: [process.execPath, executable, 'frisbee'] };
const real = realFolder ? { frisbeed: [join(realFolder, 'frisbeed')], frisbee: [join(realFolder, 'frisbee')] } : null;

async function onLoopback() {
  const at = (host) => ({ prefix: [], address: host === 1 ? '127.0.0.1' : `127.0.3.${host}` });
  const run = (clients, serverOptions, clientOptions) => transfer({ server: [...ours.frisbeed, '--loopback'], client: [...ours.frisbee, '--loopback'], clients, serverOptions, clientOptions, at });
  print('loopback, 1 client, 400 Mbit/s', await run(1, ['-W', '400000000']));
  print(`loopback, 1 client, 400 Mbit/s, ${STOCK_KB} KiB buffer`, await run(1, ['-W', '400000000'], ['-k', STOCK_KB]));
  print('loopback, 1 client, uncapped', await run(1, ['-G', '0']));
  print('loopback, 4 clients, 1 Gbit/s asked', await run(4, ['-W', '1000000000']));
}

async function inNamespaces() {
  const name = (host) => `imb${process.pid}-${host}`;
  const ip = (...words) => execFileSync('ip', words, { stdio: 'pipe' });
  const made = [];
  const add = (host) => {
    ip('netns', 'add', name(host));
    made.push(name(host));
  };
  try {
    add(0);
    ip('-n', name(0), 'link', 'add', 'br0', 'type', 'bridge', 'mcast_snooping', '0');
    ip('-n', name(0), 'link', 'set', 'br0', 'up');
    for (let host = 1; host <= HOSTS; host++) {
      add(host);
      ip('link', 'add', `v${host}`, 'netns', name(0), 'type', 'veth', 'peer', 'name', 'eth0', 'netns', name(host));
      ip('-n', name(0), 'link', 'set', `v${host}`, 'master', 'br0', 'up');
      ip('-n', name(host), 'addr', 'add', `10.9.0.${host}/24`, 'dev', 'eth0');
      for (const device of ['lo', 'eth0']) ip('-n', name(host), 'link', 'set', device, 'up');
      ip('-n', name(host), 'route', 'add', '224.0.0.0/4', 'dev', 'eth0');
    }
    const at = (host) => ({ prefix: ['ip', 'netns', 'exec', name(host)], address: `10.9.0.${host}` });
    const pairs = real ? [['real', 'real', real, real], ['ours', 'real', ours, real], ['real', 'ours', real, ours], ['ours', 'ours', ours, ours]] : [['ours', 'ours', ours, ours]];
    const cases = [
      ['1 client, 100 Mbit/s', 1, ['-W', '100000000']],
      ['1 client, 400 Mbit/s', 1, ['-W', '400000000']],
      ['1 client, uncapped', 1, ['-G', '0']],
      [`1 client, 400 Mbit/s, ${STOCK_KB} KiB`, 1, ['-W', '400000000'], ['-k', STOCK_KB]],
      ['4 clients, 1 Gbit/s asked', 4, ['-W', '1000000000']],
    ];
    for (const [what, clients, serverOptions, clientOptions] of cases) {
      for (const [from, to, server, client] of pairs) {
        print(`veth, ${what}: ${from} -> ${to}`, await transfer({ server: server.frisbeed, client: client.frisbee, clients, serverOptions, clientOptions, at }));
      }
    }
  } finally {
    for (const host of made) ip('netns', 'del', host);
  }
}

try {
  const mebibytes = Number(process.argv[2] ?? 160);
  makeImage(mebibytes);
  console.log(`image of ${mebibytes} MiB; load ${readFileSync('/proc/loadavg', 'latin1').trim()}`);
  await onLoopback();
  if (process.getuid() === 0) await inNamespaces();
  else console.log('network namespaces: skipped, needs root');
  if (!real) console.log('real programs: skipped, IMAGING_REAL_FRISBEE is not set');
  console.log(`load ${readFileSync('/proc/loadavg', 'latin1').trim()}`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
