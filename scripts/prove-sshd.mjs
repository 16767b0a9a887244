// Proves against a real OpenSSH 10 (Debian 13) that waiting and watching do not get a gateway shut out of its nodes.
//   node scripts/prove-sshd.mjs [folder]        (root, with debootstrap; the folder keeps the Debian for the next time)
// OpenSSH 9.8 and later refuses everybody from an address whose connections do not log in (PerSourcePenalties). So:
//   a  imaging-wait with a key that is not let in, while somebody else logs in with a good one every 5 s: never refused
//   b  a key that is put there after 12 s is seen within the pause between two attempts
//   c  three imaging-monitor for 70 s: no connection refused, no node shown as down
// Prints what was seen; exits 1 when one of them does not hold, and 0 with the reason when it cannot run here.
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { setTimeout as sleep } from 'node:timers/promises';

const bin = join(fileURLToPath(import.meta.url), '../../bin');
const IP = '127.9.3.17';
const PORT = 9922;
const WATCH_MS = 70_000;

const reason = whyNot();
if (reason !== null) {
  console.log(`skipped: ${reason}`);
  process.exit(0);
}
const root = process.argv[2] ?? join(tmpdir(), 'imaging-prove-sshd', 'trixie');
const dir = mkdtempSync(join(tmpdir(), 'prove-sshd-'));
let failed = 0;
const children = new Set();
try {
  prepareRoot();
  const [good, bad] = ['good', 'bad'].map(person);
  const config = site();
  for (const [name, prove] of [
    ['a', () => proveA(good, bad, config)],
    ['b', () => proveB(bad, config)],
    ['c', () => proveC(good, config)],
  ]) {
    authorize(good);
    const sshd = await startSshd();
    const { ok, text } = await prove();
    await stop(sshd.child);
    const drops = sshd.log().match(/drop connection .*penalty/g)?.length ?? 0;
    if (!ok || drops > 0) failed += 1;
    console.log(`${ok && drops === 0 ? 'ok    ' : 'FAILED'} ${name}: ${text}; sshd refused ${drops} connections for their penalty`);
  }
} finally {
  for (const child of children) child.kill('SIGKILL');
  spawnSync('umount', [join(root, 'proc')]);
  rmSync(dir, { recursive: true, force: true });
}
process.exit(failed > 0 ? 1 : 0);

function whyNot() {
  if (process.getuid?.() !== 0) return 'only root can chroot into a Debian 13';
  for (const program of ['debootstrap', 'ssh', 'ssh-keygen']) {
    if (spawnSync('sh', ['-c', `command -v ${program}`]).status !== 0) return `no ${program} here`;
  }
  return null;
}

/** A Debian 13 with its sshd, made once. */
function prepareRoot() {
  if (!existsSync(join(root, 'usr/sbin/sshd'))) {
    mkdirSync(root, { recursive: true });
    console.log(`making a Debian 13 in ${root}, which takes minutes`);
    execFileSync('debootstrap', ['--variant=minbase', '--include=openssh-server', 'trixie', root], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
  }
  mkdirSync(join(root, 'run/sshd'), { recursive: true });
  if (!existsSync(join(root, 'proc/self'))) execFileSync('mount', ['-t', 'proc', 'proc', join(root, 'proc')]);
  execFileSync('chroot', [root, 'ssh-keygen', '-A'], { stdio: 'ignore' });
  console.log(spawnSync('chroot', [root, '/usr/sbin/sshd', '-V'], { encoding: 'utf8' }).stderr.trim());
}

/** A home with a key of its own. */
function person(name) {
  const home = join(dir, name);
  mkdirSync(join(home, '.ssh'), { recursive: true, mode: 0o700 });
  execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(home, '.ssh/id_ed25519')]);
  return { home, key: join(home, '.ssh/id_ed25519'), line: readFileSync(join(home, '.ssh/id_ed25519.pub'), 'utf8') };
}

function authorize(...people) {
  const file = join(root, 'root/.ssh/authorized_keys');
  mkdirSync(join(root, 'root/.ssh'), { recursive: true, mode: 0o700 });
  writeFileSync(file, people.map(({ line }) => line).join(''));
  chmodSync(file, 0o600);
}

function site() {
  const inventory = join(dir, 'inventory.json');
  const node = {
    cmc: { hostname: 'reboot17', ip: '127.9.1.17', mac: '02:00:00:00:00:17' },
    control: { hostname: 'fit17', ip: IP, mac: '00:03:1d:00:00:17' },
  };
  writeFileSync(inventory, JSON.stringify([node]));
  mkdirSync(join(dir, 'pxe'));
  const config = join(dir, 'imaging.conf');
  writeFileSync(
    config,
    `[testbed]\ninventory_path = ${inventory}\n[networking]\nssh_port = ${PORT}\nping_command =\n[pxelinux]\nconfig_dir = ${join(dir, 'pxe')}\n[runs]\ndir = ${join(dir, 'state')}\n`,
  );
  return config;
}

async function startSshd() {
  const child = start(
    'chroot',
    [root, '/usr/sbin/sshd', '-D', '-e', '-p', String(PORT), '-o', `ListenAddress=${IP}`, '-o', 'UsePAM=no', '-o', 'PidFile=none'],
    process.env,
  );
  for (;;) {
    const socket = connect(PORT, IP);
    const up = await Promise.race([once(socket, 'connect').then(() => true), once(socket, 'error').then(() => false)]).catch(() => false);
    socket.destroy();
    if (up) return { child, log: () => child.text };
    await sleep(50);
  }
}

function start(program, args, env) {
  const child = spawn(program, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
  child.text = '';
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text) => (child.text += text));
  children.add(child);
  child.once('exit', () => children.delete(child));
  return child;
}

async function stop(child) {
  if (child.exitCode !== null) return;
  child.kill('SIGTERM');
  await once(child, 'exit');
}

function imaging(name, args, { home }, config) {
  return start(join(bin, name), args, { ...process.env, HOME: home, SSH_AUTH_SOCK: '', IMAGING_CONFIG: config });
}

function ssh({ key }) {
  const options = ['BatchMode=yes', 'StrictHostKeyChecking=no', 'UserKnownHostsFile=/dev/null', 'IdentitiesOnly=yes', 'LogLevel=ERROR'];
  return (
    spawnSync('ssh', ['-F', 'none', '-i', key, ...options.flatMap((option) => ['-o', option]), '-p', String(PORT), `root@${IP}`, 'true'])
      .status === 0
  );
}

async function proveA(good, bad, config) {
  const wait = imaging('imaging-wait', ['-t', '60', '--progress', 'plain', '17'], bad, config);
  const ended = once(wait, 'exit');
  let tries = 0;
  let refused = 0;
  while (wait.exitCode === null) {
    await Promise.race([sleep(5_000), ended]);
    tries += 1;
    if (!ssh(good)) refused += 1;
  }
  return {
    ok: refused === 0 && wait.exitCode === 1 && /does not let root in/.test(wait.text),
    text: `the other user was refused ${refused} times of ${tries}; the wait ended with ${wait.exitCode}`,
  };
}

async function proveB(bad, config) {
  const startedMs = Date.now();
  const wait = imaging('imaging-wait', ['-t', '60', '--progress', 'plain', '17'], bad, config);
  const ended = once(wait, 'exit');
  await sleep(12_000);
  authorize(bad);
  await ended;
  const seconds = (Date.now() - startedMs) / 1000;
  return {
    ok: wait.exitCode === 0 && seconds < 22,
    text: `the key came after 12 s, and was seen after ${seconds.toFixed(1)} s; the wait ended with ${wait.exitCode}`,
  };
}

async function proveC(good, config) {
  const monitors = [1, 2, 3].map(() => imaging('imaging-monitor', ['--json', '17'], good, config));
  await sleep(WATCH_MS);
  const other = ssh(good);
  for (const monitor of monitors) await stop(monitor);
  const seen = monitors.map(({ text }) => [...text.matchAll(/"ssh":"([a-z-]+)"/g)].map(([, word]) => word));
  const steady = seen.every((words) => words.length > 0 && words.every((word) => word === 'yes'));
  return {
    ok: steady && other,
    text: `three monitors for ${WATCH_MS / 1000} s saw ${seen.map((words) => words.join(' ')).join(' | ')}; ssh by hand ${other ? 'works' : 'is refused'}`,
  };
}
