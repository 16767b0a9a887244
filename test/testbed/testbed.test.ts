import { createHash } from 'node:crypto';
import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer as readAll } from 'node:stream/consumers';
import ssh2, { type ConnectConfig } from 'ssh2';
import { newHostKey } from '../../src/testbed/host-key.js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openDiskSink } from '../../src/ndz/apply/disk-sink.js';
import { nextBootName } from '../../src/testbed/addresses.js';
import { checkOpenFiles } from '../../src/testbed/open-files.js';
import { startTestbed, type Testbed, type TestbedOptions } from '../../src/testbed/testbed.js';
import { hashDisk, verifyDisks } from '../../src/testbed/verify.js';
import { UserError } from '../../src/util/errors.js';
import {
  RawTelnet,
  classicLoad,
  cmc,
  connectWhenUp,
  serveDemo,
  session,
  setting,
  sshPort,
  telnetPort,
  telnetStatus,
  tryConnect,
} from './clients.js';

const small: TestbedOptions = {
  count: 3,
  dir: null,
  faults: [],
  shell: 'builtin',
  frisbee: 'scripted',
  bootMs: 20,
  osBootMs: 20,
  imageBytes: 4 << 20,
};
const linkOf = (testbed: Testbed, number: number): string =>
  join(testbed.dir, 'tftpboot/pxelinux.cfg', nextBootName(`02:00:00:03:00:0${number}`));

describe('a testbed', () => {
  let testbed: Testbed;
  beforeAll(async () => {
    testbed = await startTestbed({ ...small, on: true });
  });
  afterAll(() => testbed.close());

  test('has power cards that speak plain HTTP', async () => {
    expect(await cmc(testbed, 1, 'status')).toEqual({ status: 200, text: 'on', connection: 'close' });
    expect((await cmc(testbed, 1, 'on')).text).toBe('already on');
    expect((await cmc(testbed, 1, 'info')).text).toMatch(/\n.*\n/);
    expect((await cmc(testbed, 1, 'usrpstatus')).text).toBe('usrpoff');
    expect((await cmc(testbed, 1, 'explode')).status).toBe(404);
    expect((await cmc(testbed, 1, 'reset', { method: 'POST' })).status).toBe(405);
    expect(testbed.nodes[0]?.phase()).toBe('os');
  });

  test('lets root in with nothing, any password or any key, and nobody else', async () => {
    const host = { host: '127.0.3.1', port: sshPort(testbed) };
    const key = newHostKey(ssh2.utils);
    for (const auth of [{}, { password: 'whatever' }, { privateKey: key }]) {
      expect(await ssh({ ...host, username: 'root', ...auth }, 'true')).toEqual({ status: 0, output: '' });
    }
    await expect(ssh({ ...host, username: 'mallory', password: 'x' }, 'true')).rejects.toThrow(/authentication/);
  });

  test('tells one boot from another, and which image runs', async () => {
    const root = { host: '127.0.3.2', port: sshPort(testbed), username: 'root' };
    const boot = async (): Promise<string[]> => (await ssh(root, 'cat /proc/sys/kernel/random/boot_id /proc/uptime')).output.split('\n');
    const [id, uptime] = await boot();
    expect(id).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
    expect(uptime).toMatch(/^\d+\.\d\d \d+\.\d\d$/);
    expect((await boot())[0]).toBe(id);
    expect((await ssh(root, 'cat /etc/imaging-image')).output).toMatch(/ - image demo - by imaging\n$/);
    expect((await ssh(root, 'hostname')).output).toBe('fit02\n');
    expect(await ssh(root, 'rm -rf /')).toEqual({ status: 127, output: '' });
    expect((await ssh(root, 'cat /etc/shadow')).status).toBe(1);
    await cmc(testbed, 2, 'off');
    await cmc(testbed, 2, 'on');
    (await connectWhenUp('127.0.3.2', sshPort(testbed))).destroy();
    expect((await boot())[0]).not.toBe(id);
  });

  test("answers a ping program exactly while a node's system is up", async () => {
    const [program = '', script = '', ...rest] = (
      setting(testbed, 'ping_command')
        .slice(1, -1)
        .match(/'[^']*'|\S+/g) ?? []
    ).map((word) => word.replaceAll("'", ''));
    const ping = (ip: string): Promise<number> =>
      new Promise((resolve) =>
        execFile(program, [script, ...rest.map((word) => word.replace('{ip}', ip))], (error) => resolve(error ? Number(error.code) : 0)),
      );
    expect([await ping('127.0.3.3'), await ping('127.0.3.4')]).toEqual([0, 1]);
    await cmc(testbed, 3, 'off');
    expect(await ping('127.0.3.3')).toBe(1);
  });

  test('cuts every connection with the power', async () => {
    await cmc(testbed, 3, 'on');
    const socket = await connectWhenUp('127.0.3.3', sshPort(testbed));
    const how = new Promise((resolve) =>
      socket
        .resume()
        .on('error', (error: NodeJS.ErrnoException) => resolve(error.code))
        .on('close', () => resolve('end')),
    );
    await cmc(testbed, 3, 'off');
    expect(await how).toBe('ECONNRESET');
    expect(await tryConnect('127.0.3.3', sshPort(testbed))).toBe('ECONNREFUSED');
  });

  test('boots the ramdisk only when the link is there, and leads somewhere, when the node looks', async () => {
    symlinkSync('pxefrisbee', linkOf(testbed, 1));
    await cmc(testbed, 1, 'reset');
    (await connectWhenUp('127.0.3.1', telnetPort(testbed))).destroy();
    unlinkSync(linkOf(testbed, 1));
    symlinkSync('no-such-file', linkOf(testbed, 1));
    await cmc(testbed, 1, 'reset');
    (await connectWhenUp('127.0.3.1', sshPort(testbed))).destroy();
    unlinkSync(linkOf(testbed, 1));
    symlinkSync('default', linkOf(testbed, 1));
    await cmc(testbed, 1, 'reset');
    (await connectWhenUp('127.0.3.1', sshPort(testbed))).destroy();
    unlinkSync(linkOf(testbed, 1));
    // a link that is taken away right after the reset comes too early: the BIOS has not looked yet
    symlinkSync('pxefrisbee', linkOf(testbed, 1));
    await cmc(testbed, 1, 'reset');
    unlinkSync(linkOf(testbed, 1));
    (await connectWhenUp('127.0.3.1', sshPort(testbed))).destroy();
    expect(testbed.nodes[0]?.phase()).toBe('os');
  });

  test('does not run a scripted load into another disk than its own', async () => {
    symlinkSync('pxefrisbee', linkOf(testbed, 1));
    await cmc(testbed, 1, 'reset');
    const { group, port } = session(testbed);
    const telnet = await RawTelnet.to(testbed, 1);
    telnet.type(`frisbee -i 127.0.3.1 -m ${group} -p ${port} /etc/passwd\necho _TELNET_STATUS=$?\nfrisbee\necho _SECOND=$?\n`);
    await telnet.seen(/_SECOND=1\r/);
    expect(telnetStatus(telnet.text)).toBe(1);
    telnet.type('exit\n');
    await telnet.closed;
    expect(telnetStatus(await classicLoad(testbed, 1))).toBe(0);
    expect((await verifyDisks(testbed)).map(({ ok }) => ok)).toEqual([true, true, true]);
    unlinkSync(linkOf(testbed, 1));
  });
});

describe('testbeds', () => {
  test('run side by side, with ports and groups of their own', async () => {
    const [one, two] = await Promise.all([startTestbed(small), startTestbed(small)]);
    try {
      for (const key of ['cmc_port', 'telnet_port', 'ssh_port', 'pattern_multicast', 'pattern_port'])
        expect(setting(one, key)).not.toBe(setting(two, key));
      await cmc(one, 1, 'on');
      expect([(await cmc(one, 1, 'status')).text, (await cmc(two, 1, 'status')).text]).toEqual(['on', 'off']);
    } finally {
      await Promise.all([one.close(), two.close()]);
    }
  });

  test('leave nothing behind: files, processes, open files', async () => {
    const before = readdirSync('/proc/self/fd').length;
    const testbed = await startTestbed({ ...small, shell: 'real', frisbee: 'real' });
    const server = await serveDemo(testbed);
    symlinkSync('pxefrisbee', linkOf(testbed, 1));
    await cmc(testbed, 1, 'on');
    const telnet = await RawTelnet.to(testbed, 1);
    telnet.type('echo PID=$$; sleep 1000\n');
    const [, pid] = await telnet.seen(/PID=(\d+)\r/);
    const idle = await RawTelnet.to(testbed, 1); // a transfer that never gets its first byte
    idle.type(`frisbee -i 127.0.3.1 -m ${session(testbed, 2).group} -p ${session(testbed, 2).port} /dev/sda\n`);
    await idle.seen(/Using Multicast/);
    await server.stop();
    expect(await testbed.close()).toEqual([]);
    expect(await testbed.close()).toEqual([]);
    expect([await telnet.closed, await idle.closed]).toEqual(['reset', 'reset']);
    expect(existsSync(testbed.dir)).toBe(false);
    expect(existsSync(`/proc/${pid}/cwd`)).toBe(false);
    await new Promise((resolve) => setImmediate(resolve));
    expect(readdirSync('/proc/self/fd').length).toBeLessThanOrEqual(before + 4); // the SSH library and the thread pool keep theirs
  });

  test('are refused a folder in use, and keep the disks of one that is not', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'imaging-testbed-test-'));
    try {
      const first = await startTestbed({ ...small, dir, on: true, frisbee: 'real' });
      await expect(startTestbed({ ...small, dir })).rejects.toThrow(/in use by the testbed of process/);
      await first.close();
      expect(existsSync(join(dir, 'nodes/fit01/disk.img'))).toBe(true);
      const again = await startTestbed({ ...small, dir, frisbee: 'real' });
      expect(
        (await verifyDisks(again, { sha256: first.demoImage.sha256, diskBytes: first.demoImage.diskBytes })).every(({ ok }) => ok),
      ).toBe(true);
      await cmc(again, 1, 'on');
      (await connectWhenUp('127.0.3.1', sshPort(again))).destroy();
      await again.close();
    } finally {
      rmSync(dir, { recursive: true });
    }
  });

  test('remove the temporary folders of testbeds that were killed, and only those', async () => {
    const [dead, unknown] = [mkdtempSync(join(tmpdir(), 'imaging-testbed-')), mkdtempSync(join(tmpdir(), 'imaging-testbed-'))];
    writeFileSync(join(dead, 'testbed.json'), JSON.stringify({ pid: process.pid, startTime: '1', bootId: 'before' }));
    try {
      const [one, two] = [await startTestbed(small), await startTestbed(small)];
      expect([existsSync(dead), existsSync(unknown), existsSync(one.dir), existsSync(two.dir)]).toEqual([false, true, true, true]);
      await Promise.all([one.close(), two.close()]);
    } finally {
      rmSync(unknown, { recursive: true });
    }
  });

  test('say how many open files they need', () => {
    expect(() => checkOpenFiles(231, 1024)).not.toThrow();
    expect(() => checkOpenFiles(232, 1024)).toThrow('232 emulated nodes need 1028 open files, and the limit here is 1024');
    expect(() => checkOpenFiles(1000, null)).not.toThrow();
  });

  test.each([{ count: 0 }, { count: 5000 }, { count: 1.5 }])('are not $count nodes', async ({ count }) => {
    await expect(startTestbed({ ...small, count })).rejects.toThrow(UserError);
  });

  test('stop starting when told to, and clean up', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'imaging-testbed-test-'));
    await expect(startTestbed({ ...small, dir, signal: AbortSignal.abort(new Error('enough')) })).rejects.toThrow('enough');
    expect(existsSync(join(dir, 'testbed.json'))).toBe(false);
    rmSync(dir, { recursive: true });
  });

  test('grow to a thousand nodes', async () => {
    const testbed = await startTestbed({ ...small, count: 1000, on: true });
    try {
      expect(testbed.status().problems).toEqual([]);
      expect(testbed.status().nodes.filter(({ phase }) => phase === 'os').length).toBe(1000);
      const last = await connectWhenUp('127.0.51.232', sshPort(testbed)); // node 1000
      const [banner] = (await once(last, 'data')) as unknown[];
      expect(String(banner)).toMatch(/^SSH-2\.0-/);
      last.destroy();
      expect(process.memoryUsage().rss).toBeLessThan(300e6); // of which the test runner has its share
    } finally {
      await testbed.close();
    }
  });
});

describe('saving a node by hand', () => {
  test('sends an image of its disk through imagezip and nc', async () => {
    const testbed = await startTestbed({ ...small, count: 1, shell: 'real', frisbee: 'real', on: true });
    const collected = new Promise<Buffer>((resolve) => collector.once('connection', (socket) => resolve(readAll(socket))));
    collector.listen(0, '127.0.0.1');
    await once(collector, 'listening');
    const address = collector.address();
    try {
      symlinkSync('pxefrisbee', linkOf(testbed, 1));
      await cmc(testbed, 1, 'reset');
      const telnet = await RawTelnet.to(testbed, 1);
      telnet.type(
        `set -o pipefail\nimagezip -o -z1 /dev/sda - | nc 127.0.0.1 ${typeof address === 'object' ? address?.port : ''}\necho _TELNET_STATUS=$?\nexit\n`,
      );
      await telnet.closed;
      expect(telnetStatus(telnet.text)).toBe(0);
      expect(telnet.text).toMatch(/^Image size: \d+ bytes\r$/m);
      const image = await collected;
      const restored = join(testbed.dir, 'restored');
      const sink = await openDiskSink(restored);
      for (let offset = 0; offset < image.length; offset += 1 << 20) await sink.write(image.subarray(offset, offset + (1 << 20)));
      await sink.finish();
      expect(await hashDisk(restored, testbed.demoImage.diskBytes)).toBe(testbed.demoImage.sha256);
      expect(createHash('sha256').update(readFileSync(restored)).digest('hex')).toBe(testbed.demoImage.sha256);
    } finally {
      collector.close();
      await testbed.close();
    }
  });
  const collector = createServer();
});

function ssh(config: ConnectConfig, command: string): Promise<{ status: number; output: string }> {
  return new Promise((resolve, reject) => {
    const client = new ssh2.Client();
    client.on('error', reject);
    client.on('ready', () => {
      client.exec(command, (error, channel) => {
        if (error) return reject(error);
        let output = '';
        let status = -1;
        channel.on('data', (chunk: Buffer) => (output += chunk.toString()));
        channel.stderr.resume();
        channel.on('exit', (code: number) => (status = code));
        channel.on('close', () => {
          client.end();
          resolve({ status, output });
        });
      });
    });
    client.connect({ ...config, hostVerifier: () => true });
  });
}
