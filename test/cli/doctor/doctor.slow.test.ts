import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ConfiguredGateway } from '../../../src/cli/doctor/finding.js';
import { checks } from '../../../src/cli/doctor/checks.js';
import { ramdisk, tftpFolder } from '../../../src/cli/doctor/checks/pxe.js';
import { sshKeys } from '../../../src/cli/doctor/checks/ssh-keys.js';
import { loadConfig } from '../../../src/config/read-config.js';
import { systemHost } from '../../../src/util/host.js';
import { loginOf } from '../../../src/util/owned-file.js';
import { bin, scratch, type Finished } from '../../helpers/cli.js';
import { whyNoNamespaces } from '../../helpers/netns.js';
import { testbedUp, type ChildTestbed } from '../../helpers/testbed.js';

type Result = { name: string; status: string; findings: { status: string; message: string; cause: string | null; fix: string[] }[] };

let testbed: ChildTestbed;
let pxe: string;
beforeAll(async () => {
  testbed = await testbedUp(5, '--on', '--fault', 'fit02:cmc-silent', '--fault', 'fit03:cmc-silent', '--fault', 'fit04:cmc-refused');
  pxe = join(testbed.dir, 'tftpboot/pxelinux.cfg');
});
afterAll(() => testbed.close());

/** The doctor on the testbed, with settings on top of its own. */
async function doctor(
  words: readonly string[],
  settings = '',
  env: Record<string, string> = {},
): Promise<Finished & { of: (name: string) => Result }> {
  const more = join(scratch(), 'more.conf');
  writeFileSync(more, `[nodes]\nstatus_default_timeout = 3\n${settings}`);
  const finished = await testbed.run('imaging-doctor', ['--json', ...words], {
    IMAGING_CONFIG: `${testbed.env.IMAGING_CONFIG}:${more}`,
    ...env,
  });
  return { ...finished, of: (name) => resultOf(finished, name) };
}

/** What checks get that are called here. */
async function gateway(): Promise<ConfiguredGateway> {
  const host = { ...systemHost, env: { IMAGING_CONFIG: testbed.env.IMAGING_CONFIG } };
  return { host, nodeCount: 5, config: (await loadConfig(host)).config, stateDir: join(testbed.dir, 'state') };
}

const never = new AbortController().signal;

function resultOf({ stdout, stderr }: Pick<Finished, 'stdout' | 'stderr'>, name: string): Result {
  const parsed = JSON.parse(stdout) as { checks: Result[] }; // what the command documents
  const found = parsed.checks.find((check) => check.name === name);
  if (!found) throw new Error(`no check ${name}: ${stderr}`);
  return found;
}

test('a healthy site: every check is made, nothing fails, exit code 0', async () => {
  const { code, stdout, of } = await doctor(['1', '5']);
  expect(code).toBe(0);
  const { checks: results, ok } = JSON.parse(stdout) as { ok: boolean; checks: Result[] };
  expect(ok).toBe(true);
  expect(results.map(({ name }) => name)).toEqual(['configuration', 'inventory', ...checks.map(({ name }) => name)]);
  expect(results.filter(({ status }) => status === 'problem')).toEqual([]);
  for (const name of [
    'inventory',
    'node',
    'engine',
    'ping',
    'images',
    'default-image',
    'runs',
    'tftp-folder',
    'pxefrisbee',
    'leftovers',
    'control-network',
    'multicast',
    'cmc',
    'ssh-login',
  ]) {
    expect(of(name), name).toMatchObject({ status: 'ok' });
  }
  expect(of('cmc').findings[0]?.message).toMatch(/^2 cards, all answer/);
});

test('CMC cards: silent and refusing ones told apart, folded, with a fix each; nodes that are named are the only ones asked', async () => {
  const { code, of } = await doctor([]);
  expect(code).toBe(1);
  const [silent, refused] = of('cmc').findings;
  expect(silent).toMatchObject({ status: 'problem', message: '2 of 5 cards (nodes 2-3) silent: no answer within 3 s' });
  expect(silent?.fix.join()).toContain('unplug');
  expect(refused).toMatchObject({
    status: 'problem',
    message: expect.stringMatching(/^1 of 5 cards \(node 4\) refused: .* no web server on port \d+$/) as string,
  });
  expect(JSON.parse((await testbed.run('imaging-doctor', ['--json', '5'])).stdout)).toMatchObject({ ok: true });
});

test('a missing pxefrisbee, one that is no boot configuration, and a kernel that is not there', async () => {
  const aside = join(testbed.dir, 'aside');
  renameSync(join(pxe, 'pxefrisbee'), aside);
  try {
    const missing = await doctor(['1']);
    expect(missing.code).toBe(1);
    expect(missing.of('pxefrisbee').findings).toMatchObject([
      {
        status: 'problem',
        message: expect.stringContaining(`${pxe}/pxefrisbee does not exist`) as string,
        fix: [expect.stringContaining('put the boot configuration') as string, expect.stringContaining('frisbee_image') as string],
      },
    ]);
    writeFileSync(join(pxe, 'pxefrisbee'), Buffer.alloc(2_000_000));
    const looked = async () => ramdisk.run(await gateway());
    expect((await looked())[0]?.message).toContain('2000000 bytes long: no boot configuration');
    writeFileSync(
      join(pxe, 'pxefrisbee'),
      'LABEL x\n  LINUX vmlinuz-frisbee\n  INITRD gone.img\n  APPEND quiet initrd=http://elsewhere/initrd.img\n',
    );
    expect(await looked()).toMatchObject([
      {
        status: 'problem',
        message: expect.stringContaining(`names gone.img, and there is no ${join(testbed.dir, 'tftpboot/gone.img')}`) as string,
      },
    ]);
  } finally {
    renameSync(aside, join(pxe, 'pxefrisbee'));
  }
});

/** Root may write everywhere but on a read-only mount; for others, the mode is enough. */
function inReadOnly(folder: string, command: readonly string[], env: NodeJS.ProcessEnv): { stdout: string; stderr: string } {
  const [program = '', ...words] =
    process.getuid?.() === 0
      ? ['unshare', '-m', 'sh', '-c', 'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && exec "$@"', folder, ...command]
      : command;
  chmodSync(folder, 0o555);
  try {
    const { stdout, stderr } = spawnSync(program, words, { env, encoding: 'utf8', cwd: scratch() });
    return { stdout, stderr };
  } finally {
    chmodSync(folder, 0o755);
  }
}

const noMounts =
  process.getuid?.() !== 0 || spawnSync('unshare', ['-m', 'true']).status === 0 ? '' : ' (skipped: mount namespaces cannot be made here)';
test.skipIf(noMounts !== '')(`a TFTP folder that may not be written${noMounts}`, () => {
  const finished = inReadOnly(pxe, [join(bin, 'imaging-doctor'), '--json', '1'], { ...process.env, ...testbed.env });
  const [finding] = resultOf(finished, 'tftp-folder').findings;
  expect(finding).toMatchObject({
    status: 'problem',
    message: expect.stringContaining(`may not write in ${pxe}`) as string,
    cause: expect.stringContaining('link') as string,
  });
  expect(finding?.fix.join()).toMatch(/remount,rw|chgrp imaging/);
});

test('a TFTP folder that is not there, or open to all', async () => {
  const there = await gateway();
  const missing = { ...there, config: { ...there.config, pxelinux: { ...there.config.pxelinux, configDir: '/nonexistent/pxelinux.cfg' } } };
  expect(await tftpFolder.run(missing)).toMatchObject([
    { status: 'problem', message: 'pxelinux.config_dir: there is no folder /nonexistent/pxelinux.cfg' },
  ]);
  chmodSync(pxe, 0o777);
  try {
    expect(await tftpFolder.run(there)).toMatchObject([{ status: 'warning', fix: [expect.stringContaining('chmod +t') as string] }]);
  } finally {
    chmodSync(pxe, 0o755);
  }
});

describe('keys', () => {
  const home = (): string => {
    const dir = scratch();
    mkdirSync(join(dir, '.ssh'), { mode: 0o700 });
    return dir;
  };
  const keyFile = (dir: string, name: string): string => join(dir, '.ssh', name);

  test('PKCS#8, protected by a passphrase, not readable as a key: each with its fix; one that others can read', async () => {
    const dir = home();
    execFileSync('ssh-keygen', ['-q', '-t', 'rsa', '-b', '2048', '-m', 'PKCS8', '-N', '', '-f', keyFile(dir, 'id_rsa')]);
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', 'secret', '-f', keyFile(dir, 'id_ed25519')]);
    writeFileSync(keyFile(dir, 'id_ecdsa'), 'no key\n', { mode: 0o600 });
    const { code, of } = await doctor(['1'], '', { HOME: dir, SSH_AUTH_SOCK: '' });
    expect(code).toBe(1);
    const findings = of('ssh-keys').findings;
    expect(findings.map(({ message }) => message)).toEqual([
      `${keyFile(dir, 'id_ed25519')} is protected by a passphrase`,
      expect.stringMatching(/id_ecdsa cannot be used \(.*\)$/),
      `${keyFile(dir, 'id_rsa')} is in PKCS#8 form, which is not supported`,
    ]);
    expect(findings.every(({ status }) => status === 'problem')).toBe(true);
    expect(findings.map(({ fix }) => fix[0])).toEqual([
      'ssh-add it to your agent',
      expect.stringContaining('ssh-keygen -p'),
      `convert it with ssh-keygen -p -f ${keyFile(dir, 'id_rsa')}`,
    ]);

    // with one that works beside them they are warnings, and so is that others could read it
    rmSync(keyFile(dir, 'id_ed25519'));
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', keyFile(dir, 'id_ed25519')]);
    chmodSync(keyFile(dir, 'id_ed25519'), 0o644);
    const better = await sshKeys.run({ host: { ...systemHost, home: () => dir, env: {} }, nodeCount: 0 }, never);
    expect(better.map(({ status }) => status)).toEqual(['warning', 'warning', 'warning']);
    expect(better[0]?.fix).toEqual([`chmod 600 ${keyFile(dir, 'id_ed25519')}`]);
  });

  test('an agent that is gone', async () => {
    const socket = join(scratch(), 'agent');
    expect((await sshKeys.run({ host: { ...systemHost, home, env: { SSH_AUTH_SOCK: socket } }, nodeCount: 0 }, never))[0]).toMatchObject({
      status: 'warning',
      message: expect.stringContaining(`SSH_AUTH_SOCK names ${socket}, and no agent answers there`) as string,
    });
  });
});

test('a configuration that is broken: exit code 4, file and line, and what needs none is still looked at', async () => {
  const file = join(scratch(), 'broken.conf');
  writeFileSync(file, '[networking]\nbandwidth 50\n');
  const { code, of } = await doctor([], '', { IMAGING_CONFIG: file });
  expect(code).toBe(4);
  expect(of('configuration').findings).toMatchObject([
    { status: 'problem', message: expect.stringContaining(`${file}, line 2: `) as string },
  ]);
  expect(of('multicast')).toMatchObject({ status: 'skipped' });
  expect(of('node').status).toBe('ok');
  writeFileSync(file, '[networking]\nbandwidth = fast\ncmc_port = 0\n');
  expect((await doctor([], '', { IMAGING_CONFIG: file })).of('configuration').findings.map(({ message }) => message)).toEqual([
    expect.stringContaining('cmc_port = "0" is not allowed'),
    expect.stringContaining('bandwidth = "fast" is not allowed'),
  ]);
});

test('unknown keys, a missing default image, a server program that is not there, an address that is not ours', async () => {
  const { code, of } = await doctor(
    ['1'],
    '[frisbee]\nengine = frisbeed\nserver = no-such-frisbeed\ndefault_image = nothing\nimage_dir = x\n[networking]\nlocal_control_ip = 192.0.2.7\n',
  );
  expect(code).toBe(1);
  expect(of('configuration').findings[0]?.message).toContain('did you mean images_dir');
  expect(of('default-image')).toMatchObject({
    status: 'warning',
    findings: [{ message: expect.stringContaining('image nothing not found') as string }],
  });
  expect(of('engine').findings[0]?.message).toContain('there is no program no-such-frisbeed in PATH');
  expect(of('control-network').findings[0]?.message).toMatch(/^192\.0\.2\.7 .* is no address of this machine/);
  expect(of('multicast').status).toBe('skipped');
});

test('Ctrl-C ends it at once, whatever hangs', async () => {
  const doctor = testbed.start('imaging-doctor', ['2']);
  await new Promise<void>((resolve) => doctor.child.stdout.once('data', () => resolve()));
  doctor.child.kill('SIGINT');
  expect(await doctor.finished).toMatchObject({ code: 130, stderr: expect.not.stringContaining('defect') as string });
});

test('people get a line for each check, then causes and fixes', async () => {
  const { stdout, code } = await testbed.run('imaging-doctor', ['1'], { PATH: `${bin}:${process.env.PATH}` });
  expect(code).toBe(0);
  expect(stdout).toMatch(/^ok {4}cmc +1 card, all answer/m);
  expect(stdout).toMatch(/\n22 checks: \d+ ok/);
  const wrong = await testbed.run('imaging-doctor', ['1', '77']);
  expect(wrong).toMatchObject({ code: 2, stderr: expect.stringContaining('node 77 is not in the inventory') as string });
});

describe('leftovers of runs that were killed', () => {
  const mac = '02-00-00-03-00-05';
  const owner = loginOf(process.getuid?.() ?? 0);
  const leave = (): void => {
    const dead = { pid: 1, startTime: '1', bootId: 'of another boot' };
    symlinkSync('pxefrisbee', join(pxe, `01-${mac}`));
    const record = join(pxe, `.imaging-01-${mac}.json`);
    writeFileSync(
      record,
      JSON.stringify({ process: dead, host: '', run: 'r', node: 'fit05', login: 'alice', at: 1, target: 'pxefrisbee', nonce: 'n' }),
    );
    const longAgo = new Date(Date.now() - 600_000);
    utimesSync(record, longAgo, longAgo);
  };

  test('the doctor names them and touches nothing, imaging-sweep removes them, and says nothing the next time', async () => {
    leave();
    const found = (await doctor(['1'])).of('leftovers');
    expect(found.findings).toMatchObject([
      {
        status: 'warning',
        message: `1 thing of runs that were killed: 01-${mac} of fit05 (${owner}, pid 1)`,
        fix: [expect.stringContaining('imaging-sweep') as string],
      },
    ]);
    expect(testbed.links().sort()).toEqual([`.imaging-01-${mac}.json`, `01-${mac}`]);
    expect(await testbed.run('imaging-sweep', ['--dry-run'])).toMatchObject({
      code: 0,
      stdout: `would remove 01-${mac} of fit05 (${owner}, pid 1)\n`,
    });
    expect(testbed.links()).toHaveLength(2);
    expect(await testbed.run('imaging-sweep', [])).toMatchObject({
      code: 0,
      stdout: `removed next-boot link 01-${mac} of fit05 (${owner}, pid 1)\n`,
      stderr: '',
    });
    expect(testbed.links()).toEqual([]);
    expect(await testbed.run('imaging-sweep', [])).toMatchObject({ code: 0, stdout: '', stderr: '' });
  });

  test('runs that are too old go as well', async () => {
    const old = join(testbed.dir, 'state/runs/20200101-000000-load-0a0a');
    mkdirSync(old, { recursive: true });
    writeFileSync(join(old, 'events.jsonl'), '');
    expect(await testbed.run('imaging-sweep', [])).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^removed run 20200101-000000-load-0a0a: /) as string,
    });
    expect(existsSync(old)).toBe(false);
  });

  test('links that no run has made are told, and left to whoever made them', async () => {
    symlinkSync('pxefrisbee', join(pxe, `01-${mac}`));
    try {
      expect((await doctor(['1'])).of('leftovers').findings).toMatchObject([
        { status: 'warning', message: `next-boot links to pxefrisbee that no run of imaging has made: 01-${mac}` },
      ]);
      expect(await testbed.run('imaging-sweep', [])).toMatchObject({ code: 0, stdout: '' });
      expect(testbed.links()).toEqual([`01-${mac}`]);
    } finally {
      rmSync(join(pxe, `01-${mac}`));
    }
  });
});

const noFilter = whyNoNamespaces() ?? (spawnSync('nft', ['--version']).status === 0 ? null : 'needs nft');
test.skipIf(noFilter !== null)(
  `multicast that a firewall throws away, on arrival and before it leaves${noFilter ? ` (skipped: ${noFilter})` : ''}`,
  async () => {
    const dir = scratch();
    // a network of its own, with a firewall of its own
    const script = `ip link set lo up
nft 'add table inet site; add chain inet site in { type filter hook input priority 0; }; add rule inet site in ip daddr 224.0.0.0/4 udp dport 1024-65535 counter drop'
imaging-doctor --json >"$0/in.json"
nft 'delete table inet site; add table inet site; add chain inet site out { type filter hook output priority 0; }; add rule inet site out ip daddr 224.0.0.0/4 counter drop'
imaging-doctor --json >"$0/out.json"
nft 'delete table inet site'
imaging-doctor --json >"$0/free.json"`;
    const { status, stderr } = spawnSync('unshare', ['-n', 'bash', '-c', script, dir], {
      env: { ...process.env, ...testbed.env, PATH: `${bin}:${process.env.PATH}:/usr/sbin:/sbin` },
      encoding: 'utf8',
    });
    expect(status, stderr).not.toBe(null);
    const of = (name: string): Result => resultOf({ stdout: readFileSync(join(dir, `${name}.json`), 'utf8'), stderr }, 'multicast');
    const [arriving] = of('in').findings;
    expect(arriving).toMatchObject({
      status: 'problem',
      message: expect.stringMatching(
        /^4 datagrams to 239\.\S+ were sent from 127\.0\.0\.1 \(lo\), and none of them was received/,
      ) as string,
    });
    expect(arriving?.cause).toMatch(
      /a firewall throws them away on arrival; rules that drop: ip daddr 224\.0\.0\.0\/4 udp dport 1024-65535 counter packets \d+ .* drop; rp_filter is \d/,
    );
    expect(arriving?.fix.join('\n')).toContain('accept');
    const [leaving] = of('out').findings;
    expect(leaving).toMatchObject({
      status: 'problem',
      message: expect.stringMatching(/^cannot send to 239\.\S+ from 127\.0\.0\.1 \(EPERM\)$/) as string,
      cause: expect.stringContaining('keeps such datagrams from leaving; rules that drop: ip daddr 224.0.0.0/4') as string,
    });
    expect(of('free').status).toBe('ok');
  },
);

const noNamespaces = whyNoNamespaces();
test.skipIf(noNamespaces !== null)(
  `a bridge without a carrier, as every node on it is off, is on the control network all the same${noNamespaces ? ` (skipped: ${noNamespaces})` : ''}`,
  () => {
    const dir = scratch();
    writeFileSync(
      join(dir, 'inventory.json'),
      JSON.stringify([
        {
          cmc: { hostname: 'reboot01', ip: '192.0.2.101', mac: '02:00:00:00:01:01' },
          control: { hostname: 'fit01', ip: '192.0.2.1', mac: '02:00:00:00:02:01' },
        },
      ]),
    );
    writeFileSync(
      join(dir, 'more.conf'),
      `[testbed]\ninventory_path = ${dir}/inventory.json\nall_scope = 1\n[networking]\nlocal_control_ip =\n[nodes]\nstatus_default_timeout = 1\n`,
    );
    const script =
      'ip link set lo up; ip link add br0 type bridge && ip addr add 192.0.2.200/24 dev br0 && ip link set br0 up; exec imaging-doctor --json';
    const finished = spawnSync('unshare', ['-n', 'bash', '-c', script], {
      env: {
        ...process.env,
        ...testbed.env,
        IMAGING_CONFIG: `${testbed.env.IMAGING_CONFIG}:${dir}/more.conf`,
        PATH: `${bin}:${process.env.PATH}:/usr/sbin:/sbin`,
      },
      encoding: 'utf8',
    });
    expect(resultOf(finished, 'control-network')).toMatchObject({
      status: 'ok',
      findings: [{ message: '192.0.2.200 on br0 (guessed), the network of all 1 node' }],
    });
    expect(resultOf(finished, 'multicast').status).not.toBe('skipped');
  },
);
