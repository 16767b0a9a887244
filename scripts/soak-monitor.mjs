// Watches an emulated testbed for minutes while its nodes change state and the consumer is killed twice.
//   node scripts/soak-monitor.mjs [nodes] [seconds]
// Checks that every change was reported exactly once, that what was reported is what was done, and that CPU and memory
// stay flat; prints both over time. Exits 1 when a check fails.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { setTimeout as sleep } from 'node:timers/promises';
import { WebSocketServer } from 'ws';

const here = fileURLToPath(import.meta.url);
const bin = join(here, '../../bin');
if (process.argv[2] === 'consumer') consume(Number(process.argv[3]), process.argv[4]);
else process.exit(await soak(Number(process.argv[2] ?? 100), Number(process.argv[3] ?? 300)));

/** A consumer: keeps every message in a file, as it comes. */
function consume(port, path) {
  const server = new WebSocketServer({ host: '127.0.0.1', port }, () => process.stdout.write(`${server.address().port}\n`));
  server.on('connection', (socket) => socket.on('message', (data) => appendFileSync(path, `${data}\n`)));
}

async function soak(count, seconds) {
  const dir = mkdtempSync(join(tmpdir(), 'soak-monitor-'));
  const children = [];
  try {
    const testbed = start(
      'imaging-testbed',
      ['up', String(count), '--dir', join(dir, 'testbed'), '--shell', 'builtin', '--boot', '0.5', '--on'],
      {},
    );
    children.push(testbed);
    for (let text = ''; !text.includes('Ctrl-C ends it'); ) text += (await once(testbed.stdout, 'data'))[0];
    const env = { IMAGING_CONFIG: join(dir, 'testbed/imaging.conf') };
    const consumed = join(dir, 'consumed.jsonl');
    writeFileSync(consumed, '');
    let { consumer, port } = await startConsumer(0, consumed);
    const monitor = start('imaging-monitor', ['--json', '--websocket', `ws://127.0.0.1:${port}/nodes`], env, ['ignore', 'pipe', 'inherit']);
    children.push(monitor, consumer);
    let lines = '';
    monitor.stdout.setEncoding('utf8').on('data', (text) => (lines += text));
    while (!lines.includes('\n')) await once(monitor.stdout, 'data');
    console.log(`watching ${count} nodes for ${seconds} s, all of them on`);

    const samples = sampler(monitor.pid);
    const done = new Map(); // node -> what was done to it, as the card says it
    const kills = [seconds / 3, (2 * seconds) / 3];
    const startedMs = Date.now();
    const elapsed = () => (Date.now() - startedMs) / 1000;
    let connections = 1;
    for (let round = 0; elapsed() < seconds - 30; round += 1) {
      await act(round, count, done, env);
      samples.take(elapsed());
      if (kills.length > 0 && elapsed() >= kills[0]) {
        kills.shift();
        consumer.kill('SIGKILL');
        await once(consumer, 'exit');
        const without = await act((round += 1), count, done, env); // changes while nobody listens
        await sleep(5_000);
        ({ consumer } = await startConsumer(port, consumed));
        children.push(consumer);
        connections += 1;
        console.log(`${elapsed().toFixed(0).padStart(4)} s  consumer killed, ${without} nodes changed, consumer started again`);
      }
      await sleep(2_500);
    }
    while (elapsed() < seconds) {
      await sleep(5_000); // let the last changes come in
      samples.take(elapsed());
    }
    monitor.kill('SIGINT');
    const [code] = await once(monitor, 'exit');
    await sleep(500); // the consumer writes what it got last
    const problems = [
      ...(code === 0 ? [] : [`imaging-monitor ended with ${code}`]),
      ...checkStream(lines, readFileSync(consumed, 'utf8'), connections),
      ...checkDone(lines, done),
      ...samples.check(),
    ];
    for (const problem of problems) console.log(`WRONG: ${problem}`);
    console.log(problems.length === 0 ? 'soak: ok' : 'soak: failed');
    return problems.length === 0 ? 0 : 1;
  } finally {
    for (const child of children.reverse()) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      child.kill('SIGTERM');
      await once(child, 'exit');
    }
    rmSync(dir, { recursive: true, force: true });
  }
}

function start(name, args, env, stdio = ['ignore', 'pipe', 'inherit']) {
  const child = spawn(process.execPath, [join(bin, name), ...args], { env: { ...process.env, NODES: undefined, ...env }, stdio });
  child.stdout?.setEncoding('utf8');
  return child;
}

async function startConsumer(port, path) {
  const consumer = spawn(process.execPath, [here, 'consumer', String(port), path], { stdio: ['ignore', 'pipe', 'inherit'] });
  consumer.stdout.setEncoding('utf8');
  return { consumer, port: Number((await once(consumer.stdout, 'data'))[0]) };
}

/** One round: power of ten nodes changes, and the USRP of two others; no node is touched again before it could be seen. Returns how many were touched. */
async function act(round, count, done, env) {
  const powered = Math.floor(count * 0.8);
  const pick = (first, size, each) => Array.from({ length: Math.min(each, size) }, (_, index) => first + ((round * each + index) % size));
  const nodes = pick(1, powered, 10);
  const usrps = pick(powered + 1, count - powered, 2);
  const changes = [
    ['cmc', nodes.filter((node) => last(done, node, 'cmc') !== 'off'), 'off'],
    ['cmc', nodes.filter((node) => last(done, node, 'cmc') === 'off'), 'on'],
    ['usrp', usrps.filter((node) => last(done, node, 'usrp') !== 'on'), 'on'],
    ['usrp', usrps.filter((node) => last(done, node, 'usrp') === 'on'), 'off'],
  ];
  for (const [what, which, state] of changes) {
    if (which.length === 0) continue;
    const [code] = await once(start(`imaging-${what === 'usrp' ? 'usrp' : ''}${state}`, which.map(String), env, 'ignore'), 'exit');
    if (code !== 0) throw new Error(`imaging-${state} ${which.join(' ')} ended with ${code}`);
    for (const node of which) done.set(node, [...(done.get(node) ?? []), { what, state }]);
  }
  return nodes.length + usrps.length;
}

function last(done, node, what) {
  return done
    .get(node)
    ?.filter((each) => each.what === what)
    .at(-1)?.state;
}

function parse(text) {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));
}

/** The lines: one snapshot, then every number once. The consumer's file: every number, none twice but what was under way at a kill. */
function checkStream(lines, consumed, connections) {
  const problems = [];
  const [snapshot, ...changes] = parse(lines);
  if (snapshot?.type !== 'snapshot') problems.push('the lines do not begin with a snapshot');
  changes.forEach((change, index) => {
    if (change.seq !== index + 1) problems.push(`line ${index + 2} is number ${change.seq}`);
  });
  const messages = parse(consumed);
  const got = messages.filter(({ type }) => type === 'change').map(({ seq }) => seq);
  const missing = changes.filter(({ seq }) => !got.includes(seq)).length;
  const twice = got.length - new Set(got).size;
  const snapshots = messages.filter(({ type }) => type === 'snapshot').length;
  console.log(
    `${changes.length} changes as lines; the consumer got ${got.length} and ${snapshots} snapshots: ${missing} missing, ${twice} twice`,
  );
  if (missing > 0) problems.push(`${missing} changes never reached the consumer`);
  if (twice > 0) problems.push(`${twice} changes reached the consumer twice`);
  if (snapshots !== connections) problems.push(`${snapshots} snapshots for ${connections} connections`);
  return problems.slice(0, 10);
}

/** What was reported of each node is what was done to it, in that order. */
function checkDone(lines, done) {
  const problems = [];
  const changes = parse(lines).slice(1);
  let compared = 0;
  for (const [node, acts] of done) {
    const name = `fit${String(node).padStart(2, '0')}`;
    for (const what of ['cmc', 'usrp']) {
      const wanted = acts.filter((each) => each.what === what).map(({ state }) => state);
      if (wanted.length === 0) continue;
      const seen = changes.filter((change) => change.node === name && what in change.now).map(({ now }) => now[what]);
      compared += wanted.length;
      if (wanted.join() !== seen.join())
        problems.push(`${name}: ${what} was made ${wanted.join(', ')}, and reported as ${seen.join(', ')}`);
    }
    const boots = acts.filter(({ what, state }) => what === 'cmc' && state === 'on').length;
    const seen = changes.filter((change) => change.node === name && typeof change.now.bootId === 'string').length;
    if (boots !== seen) problems.push(`${name}: booted ${boots} times, ${seen} were reported`);
  }
  console.log(`${compared} commanded changes of power compared with what was reported`);
  return problems.slice(0, 10);
}

/** CPU and memory of a process over time, about every ten seconds. */
function sampler(pid) {
  const samples = [];
  const look = () => {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return {
      cpuS: (Number(fields[11]) + Number(fields[12])) / 100,
      rssMb: Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))[1]) / 1000,
      at: Date.now(),
    };
  };
  let before = look();
  return {
    take(second) {
      if (Date.now() - before.at < 10_000) return;
      const now = look();
      const share = (now.cpuS - before.cpuS) / ((now.at - before.at) / 1000);
      before = now;
      samples.push({ share, rssMb: now.rssMb });
      console.log(`${second.toFixed(0).padStart(4)} s  ${(share * 100).toFixed(1).padStart(5)} % of a core  ${now.rssMb.toFixed(0)} MB`);
    },
    check() {
      const third = Math.floor(samples.length / 3);
      if (third < 2) return [];
      const mean = (part, key) => part.reduce((sum, each) => sum + each[key], 0) / part.length;
      const [first, end] = [samples.slice(1, third + 1), samples.slice(-third)];
      console.log(
        `CPU ${(mean(first, 'share') * 100).toFixed(1)} % -> ${(mean(end, 'share') * 100).toFixed(1)} %, memory ${mean(first, 'rssMb').toFixed(0)} -> ${mean(end, 'rssMb').toFixed(0)} MB (first and last third)`,
      );
      return [
        ...(mean(end, 'share') > 1.3 * mean(first, 'share') + 0.02 ? ['CPU grows'] : []),
        ...(mean(end, 'rssMb') > mean(first, 'rssMb') + 20 ? ['memory grows'] : []),
      ];
    },
  };
}
