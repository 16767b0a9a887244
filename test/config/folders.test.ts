import { chmod, mkdir } from 'node:fs/promises';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { guessLocalControlIp } from '../../src/config/local-ip.js';
import { runsDir } from '../../src/config/runs-dir.js';
import { UserError } from '../../src/util/errors.js';
import type { OwnAddress } from '../../src/util/own-addresses.js';
import { rejected } from '../helpers/thrown.js';
import { Site } from './site.js';

describe('the guess of the gateway’s control address', () => {
  const nic = (name: string, address: string, netmask: string): OwnAddress => ({ name, address, netmask });

  test('is the address whose network holds the first node', async () => {
    const addresses = [
      nic('lo', '127.0.0.1', '255.0.0.0'),
      nic('eth0', '192.168.1.100', '255.255.255.0'),
      nic('eth1', '192.168.3.100', '255.255.255.0'),
    ];
    expect(await guessLocalControlIp('192.168.3.1', addresses)).toBe('192.168.3.100');
    expect(await guessLocalControlIp('192.168.1.1', addresses)).toBe('192.168.1.100');
  });

  test('goes by each interface’s own prefix, and the narrowest', async () => {
    const addresses = [
      nic('eth0', '10.0.0.1', '255.0.0.0'),
      nic('eth1', '10.1.2.3', '255.255.252.0'),
      nic('tun0', '10.1.9.1', '255.255.255.255'),
    ];
    expect(await guessLocalControlIp('10.1.1.7', addresses)).toBe('10.1.2.3');
    expect(await guessLocalControlIp('10.1.9.7', addresses)).toBe('10.0.0.1');
    expect(
      await guessLocalControlIp('200.1.1.1', [
        nic('eth0', '200.1.1.254', '255.255.255.128'),
        nic('eth0', '200.1.1.100', '255.255.255.128'),
      ]),
    ).toBe('200.1.1.100');
  });

  test('is never a loopback one; without any, the message says what to set', async () => {
    const guess = guessLocalControlIp('127.0.3.1', [nic('lo', '127.0.0.1', '255.0.0.0')]);
    await expect(guess).rejects.toBeInstanceOf(UserError);
    await expect(guess).rejects.toMatchObject({
      kind: 'environment',
      message: expect.stringContaining('127.0.3.1'),
      hint: expect.stringContaining('local_control_ip'),
    });
  });

  test('works on this machine’s interfaces', async () => {
    const own = Object.values(networkInterfaces())
      .flat()
      .find((entry) => entry?.family === 'IPv4' && !entry.internal);
    if (own) expect(typeof (await guessLocalControlIp(own.address))).toBe('string');
    else await expect(guessLocalControlIp('192.0.2.1')).rejects.toBeInstanceOf(UserError);
  });
});

describe('the folder of runs', () => {
  let site: Site;
  beforeEach(async () => {
    site = await Site.make();
  });
  afterEach(() => site.remove());

  test('is the configured one, the system’s when it can be written or made, else one below the home folder', async () => {
    const system = join(site.root, 'lib/imaging');
    expect(await runsDir('/elsewhere', site.host, system)).toBe('/elsewhere');
    expect(await runsDir(null, site.host, system)).toBe(join(site.home, '.local/state/imaging'));
    await mkdir(join(site.root, 'lib'));
    expect(await runsDir(null, site.host, system)).toBe(system);
    await mkdir(system);
    expect(await runsDir(null, site.host, system)).toBe(system);
  });

  test.runIf(process.getuid?.() !== 0)('is not a system folder that others own', async () => {
    const system = join(site.root, 'lib');
    await mkdir(system);
    await chmod(system, 0o555);
    expect(await runsDir(null, site.host, system)).toBe(join(site.home, '.local/state/imaging'));
  });

  test('follows XDG_STATE_HOME, and needs a home', async () => {
    const missing = join(site.root, 'no/where');
    site.env = { XDG_STATE_HOME: '/state' };
    expect(await runsDir(null, site.host, missing)).toBe('/state/imaging');
    site.env = { XDG_STATE_HOME: 'relative' };
    const error = await rejected(UserError, runsDir(null, { env: site.env, home: () => '' }, missing));
    expect(error.kind).toBe('environment');
  });
});
