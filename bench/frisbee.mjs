// The frisbee server and client: on loopback, in network namespaces when root, and against the real programs when
// IMAGING_REAL_FRISBEE names their folder. Usage: node bench/frisbee.mjs [MiB of image, default 160] [case...]
// BENCH_RUNS (default 1) runs of each kind of transfer, in turn; the medians count. MB/s are from the first join to the last client's end.
//   loopback, rates, uncapped   throughput, and processor time for each block; the last two also with the native layer switched off ("plain")
//   late              clients that join one after the other: blocks sent, against the image once and once what late ones had missed
//   loss              1 % loss at one of four receivers: wall time and blocks, against the same without loss
import { execFileSync, spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { makeImage, median } from './measure.mjs';

const self = fileURLToPath(import.meta.url);
if (process.argv[2] === '--observe') await observe(process.argv[3], process.argv[4], Number(process.argv[5]), Number(process.argv[6]));

const executable = fileURLToPath(new URL('../bin/imaging.js', import.meta.url));
const realFolder = process.env.IMAGING_REAL_FRISBEE;
const CASES = ['loopback', 'rates', 'uncapped', 'late', 'loss'];
const words = process.argv.slice(2);
const mebibytes = Number(words.find((word) => /^\d+$/.test(word)) ?? 160);
const asked = words.filter((word) => !/^\d+$/.test(word));
const unknown = asked.find((word) => !CASES.includes(word));
if (unknown !== undefined) throw new Error(`no case '${unknown}'; there are ${CASES.join(', ')}`);
const wants = (name) => asked.length === 0 || asked.includes(name);
const folder = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'imaging-bench-'));
const image = join(folder, 'image.ndz');
const HOSTS = 6;
const GROUP = '239.1.2.3';
const LATE_RATE = '100000000';
const LOSS_RATE = '200000000';
const RUNS = Number(process.env.BENCH_RUNS ?? 1);
const PATIENCE_MS = 120_000;
const TICK_MS = 10; // of /proc/<pid>/stat
const STOCK_KB = '208'; // net.core.rmem_max of a stock kernel

function cpuMs(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
  } catch {
    return null;
  }
}

const children = new Set();
const cleanups = [() => rmSync(folder, { recursive: true, force: true })];
process.once('exit', () => {
  for (const child of children) child.kill('SIGKILL');
  for (const cleanUp of cleanups.reverse()) cleanUp();
});
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, () => process.exit(1));

/** Starts a program and follows its CPU time until it ends. */
function start(command) {
  const child = spawn(command[0], command.slice(1), { stdio: ['ignore', 'ignore', 'pipe'] });
  children.add(child);
  let stderr = '';
  let cpu = 0;
  const joined = { at: 0, cpuMs: 0 };
  child.stderr.on('data', (data) => {
    stderr += data;
    if (joined.at === 0 && stderr.includes('Joined the team'))
      Object.assign(joined, { at: performance.now(), cpuMs: cpuMs(child.pid) ?? 0 });
  });
  const timer = setInterval(() => (cpu = cpuMs(child.pid) ?? cpu), 20);
  const done = new Promise((resolve) =>
    child.on('close', (code) => {
      clearInterval(timer);
      children.delete(child);
      resolve({ code, stderr, cpuMs: cpu - joined.cpuMs, joinedAt: joined.at });
    }),
  );
  return { done, pid: child.pid, text: () => stderr, kill: (signal) => child.kill(signal) };
}

async function until(condition, everyMs = 20) {
  for (let i = 0; i < 20_000 / everyMs && !condition(); i++) await new Promise((resolve) => setTimeout(resolve, everyMs));
}

/**
 * Listens to a session of `blocks` blocks as a host of its own. When told to end, prints how many blocks came by, and for
 * each join but the first how many different ones had come by before it.
 */
async function observe(address, group, sessionPort, blocks) {
  const socket = createSocket({ type: 'udp4', recvBufferSize: 4 << 20 });
  const seen = new Uint8Array(blocks);
  const joined = new Set();
  let [total, distinct] = [0, 0];
  const missed = [];
  socket.on('message', (bytes, from) => {
    const subtype = bytes.readInt32LE(4);
    if (subtype === 3) {
      total++;
      const block = bytes.readInt32LE(16) * 1024 + bytes.readInt32LE(20);
      if (!seen[block]) distinct++;
      seen[block] = 1;
    } else if (subtype === 1 && bytes.readInt32LE(0) === 1 && !joined.has(from.address)) {
      joined.add(from.address);
      if (joined.size > 1) missed.push(distinct);
    }
  });
  await new Promise((resolve) => socket.bind(sessionPort, '0.0.0.0', resolve));
  socket.addMembership(group, address);
  process.stderr.write('observing\n');
  await new Promise((resolve) => process.once('SIGTERM', resolve));
  process.stderr.write(`${JSON.stringify({ total, missed })}\n`);
  process.exit();
}

/** A client whose server has gone would wait for ever. */
async function allEnded(running) {
  const late = setTimeout(() => running.forEach(({ kill }) => kill('SIGKILL')), PATIENCE_MS);
  const ended = await Promise.all(running.map(({ done }) => done));
  clearTimeout(late);
  return ended;
}

let port = 15_000 + (process.pid % 1000) * 20;

/** One transfer; `at(host)` is the command prefix and the address of a host, 1 being the server's. */
async function transfer({ server, client, clients, serverOptions, clientOptions = [], at }) {
  port++;
  const session = (host) => ['-i', at(host).address, '-m', GROUP, '-p', String(port)];
  const serving = start([...at(1).prefix, ...server, '-d', '-T', '600', ...serverOptions, ...session(1), image]);
  await until(() => serving.text().includes('Using Multicast'));
  const serverCpu = cpuMs(serving.pid);
  const running = Array.from({ length: clients }, (_, i) =>
    start([...at(i + 2).prefix, ...client, '-q', ...clientOptions, ...session(i + 2), join(folder, `out${i}`)]),
  );
  const ended = await allEnded(running);
  const seconds = (performance.now() - Math.min(...ended.map(({ joinedAt }) => joinedAt))) / 1000;
  const usedMs = cpuMs(serving.pid) - serverCpu;
  serving.kill('SIGTERM');
  const { stderr } = await serving.done;
  for (let i = 0; i < clients; i++) rmSync(join(folder, `out${i}`), { force: true });
  const blocks = Number(/1k blocks sent: +(\d+)/.exec(stderr)?.[1]);
  const size = statSync(image).size;
  return {
    ok: ended.every(({ code }) => code === 0),
    seconds,
    mbps: size / 1e6 / seconds,
    serverUs: (usedMs * 1000) / blocks,
    clientUs: (ended.reduce((sum, { cpuMs: used }) => sum + used, 0) * 1000) / clients / blocks,
    sent: blocks / (size / 1024),
  };
}

/** Runs each transfer RUNS times, one after the other, so that what else the machine does meets all of them. */
async function inTurn(transfers) {
  const all = transfers.map(({ name }) => ({ name, results: [] }));
  for (let i = 0; i < RUNS; i++) for (const [index, { run }] of transfers.entries()) all[index].results.push(await run());
  return all;
}

const medians = (results) => ({
  ok: results.every(({ ok }) => ok),
  ...Object.fromEntries(['mbps', 'serverUs', 'clientUs', 'sent'].map((key) => [key, median(results.map((one) => one[key]))])),
});

function print(what, { ok, mbps, serverUs, clientUs, sent }) {
  console.log(
    `${what.padEnd(58)} ${ok ? '' : 'FAILED '}${mbps.toFixed(1).padStart(6)} MB/s  server ${serverUs.toFixed(1).padStart(5)} us/block  client ${clientUs.toFixed(1).padStart(5)} us/block  sent x${sent.toFixed(3)}`,
  );
}

const ours = { frisbeed: [process.execPath, executable, 'frisbeed'], frisbee: [process.execPath, executable, 'frisbee'] };
/** Ours as on a machine without what src/native/ uses. */
const withoutNative = (command) => ['env', 'IMAGING_NATIVE_OFF=all', ...command];
const plain = { frisbeed: withoutNative(ours.frisbeed), frisbee: withoutNative(ours.frisbee) };
const real = realFolder ? { frisbeed: [join(realFolder, 'frisbeed')], frisbee: [join(realFolder, 'frisbee')] } : null;

async function onLoopback() {
  const at = (host) => ({ prefix: [], address: host === 1 ? '127.0.0.1' : `127.0.3.${host}` });
  const run = (clients, serverOptions, clientOptions) =>
    transfer({
      server: [...ours.frisbeed, '--loopback'],
      client: [...ours.frisbee, '--loopback'],
      clients,
      serverOptions,
      clientOptions,
      at,
    });
  print('loopback, 1 client, 400 Mbit/s', await run(1, ['-W', '400000000']));
  print(`loopback, 1 client, 400 Mbit/s, ${STOCK_KB} KiB buffer`, await run(1, ['-W', '400000000'], ['-k', STOCK_KB]));
  print('loopback, 1 client, uncapped', await run(1, ['-G', '0']));
  print('loopback, 4 clients, 1 Gbit/s asked', await run(4, ['-W', '1000000000']));
}

/** What the server sent when clients join after so many chunks of the first one: against the image, and once more what the last to join had missed. */
async function lateJoiners({ server, client, afterChunks, at }) {
  port++;
  const session = (host) => ['-i', at(host).address, '-m', GROUP, '-p', String(port)];
  const blocks = statSync(image).size / 1024;
  const observer = start([
    ...at(HOSTS).prefix,
    process.execPath,
    self,
    '--observe',
    at(HOSTS).address,
    GROUP,
    String(port),
    String(blocks),
  ]);
  await until(() => observer.text().includes('observing'));
  const serving = start([...at(1).prefix, ...server, '-d', '-T', '600', '-W', LATE_RATE, ...session(1), image]);
  await until(() => serving.text().includes('Using Multicast'));
  const joinAt = (host) => start([...at(host).prefix, ...client, ...session(host), join(folder, `out${host}`)]);
  const first = joinAt(2);
  const chunksOf = ({ text }) => (/File is [^]*/.exec(text())?.[0].match(/\./g) ?? []).length;
  const running = [first];
  for (const [i, chunks] of afterChunks.entries()) {
    await until(() => chunksOf(first) >= chunks, 1);
    running.push(joinAt(3 + i));
  }
  const ended = await allEnded(running);
  observer.kill('SIGTERM');
  const { total, missed } = JSON.parse(/\{.*\}/.exec((await observer.done).stderr)?.[0] ?? '{}');
  serving.kill('SIGTERM');
  const sent = Number(/1k blocks sent: +(\d+)/.exec((await serving.done).stderr)?.[1]);
  for (let host = 2; host < 3 + afterChunks.length; host++) rmSync(join(folder, `out${host}`), { force: true });
  return {
    ok: ended.every(({ code }) => code === 0),
    sent,
    unseen: sent - total,
    bound: blocks + Math.max(...missed),
    missed: missed.map((count) => count / blocks),
  };
}

function printLate(what, { ok, sent, bound, missed, unseen }) {
  const when = missed.map((share) => `${(share * 100).toFixed(0)} %`).join(', ');
  console.log(
    `${what.padEnd(58)} ${ok ? '' : 'FAILED '}sent ${sent}, lower bound ${bound.toFixed(0)}: x${(sent / bound).toFixed(3)}; joined at ${when}${unseen > 0 ? `; ${unseen} not observed` : ''}`,
  );
}

/** 1 % loss at host 3, or none. */
function setLoss(name, perMille) {
  const rules =
    perMille === 0
      ? 'delete table ip lossy'
      : `add table ip lossy; add chain ip lossy in { type filter hook input priority 0; }; add rule ip lossy in meta l4proto udp numgen random mod 1000 < ${perMille} drop`;
  execFileSync('ip', ['netns', 'exec', name, 'nft', rules], { stdio: 'pipe' });
}

async function withLoss({ what, server, client, at, lossyName }) {
  const run = () => transfer({ server, client, clients: 4, serverOptions: ['-W', LOSS_RATE], at });
  const lossless = await run();
  setLoss(lossyName, 10);
  try {
    const lossy = await run();
    const ok = lossless.ok && lossy.ok;
    console.log(
      `${what.padEnd(58)} ${ok ? '' : 'FAILED '}wall ${lossless.seconds.toFixed(2)} s -> ${lossy.seconds.toFixed(2)} s: x${(lossy.seconds / lossless.seconds).toFixed(3)}; sent x${lossless.sent.toFixed(3)} -> x${lossy.sent.toFixed(3)}`,
    );
  } finally {
    setLoss(lossyName, 0);
  }
}

async function inNamespaces() {
  const name = (host) => `imb${process.pid}-${host}`;
  const ip = (...words) => execFileSync('ip', words, { stdio: 'pipe' });
  const add = (host) => {
    ip('netns', 'add', name(host));
    cleanups.push(() => ip('netns', 'del', name(host)));
  };
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
  const pairs = real
    ? [
        ['real', 'real', real, real],
        ['ours', 'real', ours, real],
        ['real', 'ours', real, ours],
        ['ours', 'ours', ours, ours],
      ]
    : [['ours', 'ours', ours, ours]];
  const ratePairs = [...pairs, ['plain', 'plain', plain, plain]];
  const rates = [
    ['1 client, 100 Mbit/s', 1, ['-W', '100000000']],
    ['1 client, 400 Mbit/s', 1, ['-W', '400000000']],
    [`1 client, 400 Mbit/s, ${STOCK_KB} KiB`, 1, ['-W', '400000000'], ['-k', STOCK_KB]],
  ];
  const uncapped = [
    ['1 client, uncapped', 1, ['-G', '0']],
    ['4 clients, uncapped', 4, ['-G', '0']],
    ['4 clients, 1 Gbit/s asked', 4, ['-W', '1000000000']],
  ];
  const cases = [...(wants('rates') ? rates : []), ...(wants('uncapped') ? uncapped : [])];
  for (const [what, clients, serverOptions, clientOptions] of cases) {
    const transfers = ratePairs.map(([from, to, server, client]) => ({
      name: `veth, ${what}: ${from} -> ${to}`,
      run: () => transfer({ server: server.frisbeed, client: client.frisbee, clients, serverOptions, clientOptions, at }),
    }));
    for (const { name, results } of await inTurn(transfers)) print(name, medians(results));
  }
  const chunks = statSync(image).size / 2 ** 20;
  for (const [what, shares] of wants('late')
    ? [
        ['1 late, at a half', [0.5]],
        ['3 late, at 1/4, 1/2, 3/4', [0.25, 0.5, 0.75]],
      ]
    : []) {
    for (const [from, to, server, client] of pairs) {
      printLate(
        `late, ${what}: ${from} -> ${to}`,
        await lateJoiners({
          server: server.frisbeed,
          client: client.frisbee,
          afterChunks: shares.map((share) => Math.floor(share * chunks)),
          at,
        }),
      );
    }
  }
  for (const [from, to, server, client] of wants('loss') ? pairs : []) {
    await withLoss({
      what: `loss, 1 % at one of four: ${from} -> ${to}`,
      server: server.frisbeed,
      client: client.frisbee,
      at,
      lossyName: name(3),
    });
  }
}

makeImage(image, mebibytes);
console.log(`image of ${mebibytes} MiB; load ${readFileSync('/proc/loadavg', 'latin1').trim()}`);
if (wants('loopback')) await onLoopback();
if (process.getuid() === 0 && ['rates', 'uncapped', 'late', 'loss'].some(wants)) await inNamespaces();
if (process.getuid() !== 0) console.log('network namespaces: skipped, needs root');
if (!real) console.log('real programs: skipped, IMAGING_REAL_FRISBEE is not set');
console.log(`load ${readFileSync('/proc/loadavg', 'latin1').trim()}`);
