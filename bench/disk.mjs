// Writing disks, with system calls and without them (IMAGING_NATIVE_OFF), in turn: unzip onto a block device, onto a file of an
// ext4 on it, with zero fill; the frisbee client; and verify after that. Needs root, for loop devices in memory; MB/s of them
// are limited when BENCH_MBPS says so (cgroup v1) and otherwise are those of memory. BENCH_RUNS (3), BENCH_MB (700), BENCH_DIR.
// Printed: wall and processor seconds, seconds after the last chunk was handed over, MB that waited in memory for the disk.
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bin, CHUNK_DATA_BYTES, makeImage, median, print } from './measure.mjs';

const runs = Number(process.env.BENCH_RUNS ?? 3);
const megabytes = Number(process.env.BENCH_MB ?? 700);
const limitMBps = Number(process.env.BENCH_MBPS ?? 0);
const THROTTLE = '/sys/fs/cgroup/blkio/blkio.throttle.write_bps_device';
const SESSION = ['-m', '239.1.2.9', '-p', '18999'];

if (process.getuid() === 0) await all();
else console.log('bench disk needs root for loop devices: left out');

async function all() {
  const folder = mkdtempSync(join(process.env.BENCH_DIR ?? (existsSync('/dev/shm') ? '/dev/shm' : tmpdir()), 'imaging-bench-'));
  const cleanups = [() => rmSync(folder, { recursive: true, force: true })];
  process.once('exit', () => {
    for (const cleanUp of cleanups.reverse()) cleanUp();
  });
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1));
  const image = join(folder, 'image.ndz');
  makeImage(image, Math.ceil((megabytes * 1e6) / CHUNK_DATA_BYTES));
  writeFileSync(join(folder, 'disk'), '');
  truncateSync(join(folder, 'disk'), megabytes * 2e6);
  const device = run('losetup', '-f', '--show', join(folder, 'disk'));
  cleanups.push(() => run('losetup', '-d', device));
  if (limitMBps > 0) {
    const number = readFileSync(`/sys/block/${device.slice(5)}/dev`, 'latin1').trim();
    writeFileSync(THROTTLE, `${number} ${limitMBps * 1e6}`);
    cleanups.push(() => writeFileSync(THROTTLE, `${number} 0`));
  }
  const unzip = (...args) => [bin('imaging-imageunzip'), '-o', ...args];
  const rows = [
    ...(await compare('unzip', 'direct-io,file-space', () => measure(unzip(image, device)))),
    ...(await compare('unzip -z', 'direct-io,file-space', () => measure(unzip('-z', image, device)))),
    ...(await compare('frisbee', 'direct-io,file-space', () => load(image, device))),
    ...(await compare('verify', 'direct-io', () => measure([bin('imaging-image'), 'verify', image, device]))),
  ];
  run('mkfs.ext4', '-q', '-F', device);
  mkdirSync(join(folder, 'mounted'));
  run('mount', device, join(folder, 'mounted'));
  cleanups.push(() => run('umount', join(folder, 'mounted')));
  rows.push(...(await compare('file', 'file-space', () => measure(unzip(image, join(folder, 'mounted', 'out'))))));
  print(`disks: ${megabytes} MB onto a loop device in memory${limitMBps > 0 ? `, limited to ${limitMBps} MB/s` : ''}`, rows);
}

function run(command, ...args) {
  return execFileSync(command, args, { encoding: 'utf8', env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` } }).trim();
}

/** Runs with everything and with `off` switched off, in turn; rows to print. */
async function compare(title, off, once) {
  const results = { with: [], without: [] };
  for (let i = 0; i < runs; i += 1) {
    for (const [name, value] of [
      ['with', ''],
      ['without', off],
    ]) {
      process.env.IMAGING_NATIVE_OFF = value;
      run('sync');
      const result = await once();
      if (result.code !== 0) throw new Error(`${title} ended with ${result.code}`);
      results[name].push(result);
    }
  }
  delete process.env.IMAGING_NATIVE_OFF;
  return Object.entries(results).map(([name, list]) => {
    const of = (key) => median(list.map((one) => one[key]));
    const label = name === 'with' ? 'with' : `without ${off}`;
    return `${title.padEnd(9)} ${label.padEnd(29)} ${of('wallS').toFixed(2).padStart(6)} s wall  ${of('cpuS').toFixed(2).padStart(5)} s CPU  ${of('lastS').toFixed(2).padStart(5)} s at the end  ${of('waitingMB').toFixed(0).padStart(4)} MB waiting  ${of('cachedMB').toFixed(0).padStart(4)} MB cached  ${of('rssMB').toFixed(0).padStart(4)} MB RSS`;
  });
}

function memory() {
  const of = Object.fromEntries(
    [...readFileSync('/proc/meminfo', 'latin1').matchAll(/^(\w+):\s+(\d+)/gm)].map(([, key, kB]) => [key, kB / 1024]),
  );
  return { waiting: of.Dirty + of.Writeback, buffers: of.Buffers };
}

/** Runs a command; what it took, and what the kernel held meanwhile. `lastS`: from its last dot to its end. */
function measure(command) {
  const script = 'TIMEFORMAT="%U %S"; exec 9>&2; { time "$@" 2>&9 >/dev/null 3>&- 9>&-; } 2>&3';
  return new Promise((resolve) => {
    const startMs = performance.now();
    const [before, peak] = [memory(), { waiting: 0, buffers: 0, rssKB: 0 }];
    const child = spawn('bash', ['-c', script, 'bash', ...command], { stdio: ['ignore', 'ignore', 'pipe', 'pipe'] });
    let [dotMs, times] = [startMs, ''];
    child.stdio[3].on('data', (more) => (times += more));
    child.stderr.on('data', (more) => {
      if (/^\s*[.\d\s]*$/.test(String(more))) dotMs = performance.now(); // dots, and what ends a line of them
    });
    const sample = setInterval(() => {
      const now = memory();
      peak.waiting = Math.max(peak.waiting, now.waiting - before.waiting);
      peak.buffers = Math.max(peak.buffers, now.buffers - before.buffers);
      try {
        for (const pid of readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'latin1').trim().split(' '))
          peak.rssKB = Math.max(peak.rssKB, Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1] ?? 0));
      } catch {
        // it has just ended
      }
    }, 20);
    child.once('close', (code) => {
      clearInterval(sample);
      const endMs = performance.now();
      const [user, system] = times.trim().split(/\s+/).slice(-2).map(Number);
      resolve({
        code,
        wallS: (endMs - startMs) / 1000,
        lastS: (endMs - dotMs) / 1000,
        cpuS: user + system,
        waitingMB: peak.waiting,
        cachedMB: peak.buffers,
        rssMB: peak.rssKB / 1024,
      });
    });
  });
}

/** A session with one client, whose numbers these are. */
async function load(image, device) {
  const server = spawn(bin('imaging-frisbeed'), ['-d', '--loopback', '-G', '0', '-i', '127.0.0.1', ...SESSION, image], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  try {
    await new Promise((resolve, reject) => {
      server.once('exit', (code) => reject(new Error(`frisbeed ended with ${code}`)));
      let text = '';
      server.stderr.on('data', (more) => {
        text += more;
        if (text.includes('Using Multicast')) resolve();
      });
    });
    return await measure([bin('imaging-frisbee'), '--loopback', '-i', '127.0.3.2', ...SESSION, device]);
  } finally {
    server.removeAllListeners('exit');
    server.kill('SIGTERM');
  }
}
