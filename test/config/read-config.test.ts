import { mkdir, rm } from 'node:fs/promises';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { loadConfig } from '../../src/config/read-config.js';
import { UserError } from '../../src/util/errors.js';
import { rejected } from '../helpers/thrown.js';
import { Site } from './site.js';

let site: Site;
beforeEach(async () => {
  site = await Site.make();
  await site.write({ etc: '' });
});
afterEach(() => site.remove());

const section = (name: string, ...lines: string[]): string => `[${name}]\n${lines.join('\n')}\n`;

describe('the configuration', () => {
  test('is all defaults when no file says anything', async () => {
    const { config, warnings, describe } = await site.load();
    expect(warnings).toEqual([]);
    expect(config.testbed).toEqual({
      regularName: 'fit',
      rebootName: 'reboot',
      inventoryPath: '/etc/imaging-inventory.json',
      allScope: null,
    });
    expect(config.nodes).toEqual({
      idleAfterResetMs: 15_000,
      timeoutBeforeTelnetMs: 80_000,
      timeoutBeforeSshMs: 300_000,
      statusTimeoutMs: 5_000,
      stallTimeoutMs: 30_000,
      loadTimeoutMs: 300_000,
      passes: 2,
      retryPauseMs: 3_000,
      bootWindow: null,
      saveTimeoutMs: 300_000,
      waitTimeoutMs: 60_000,
      quarantineAfter: 0,
    });
    expect(config.overrides).toEqual([]);
    expect(config.pxelinux).toEqual({ configDir: '/tftpboot/pxelinux.cfg', frisbeeImage: 'pxefrisbee' });
    expect(config.frisbee).toEqual({
      engine: 'embedded',
      server: 'frisbeed',
      serverOptions: ['-K', '3'],
      client: 'frisbee',
      imagezip: 'imagezip',
      netcat: 'nc',
      hardDrive: '/dev/sda',
      rootPartition: '/dev/sda1',
      mountPoint: '/mnt',
      imagesDir: '/var/lib/imaging',
      defaultImage: 'default.ndz',
      verify: 'sample',
      largestDiskGb: 2200,
      clearEnd: true,
    });
    expect(config.networking).toMatchObject({
      cmcPort: 80,
      telnetPort: 23,
      sshPort: 22,
      telnetBackoffMs: 3_000,
      sshBackoffMs: 3_000,
      bandwidthMibps: 50,
      localControlIp: null,
      multicastLoop: false,
      pingCommand: ['ping', '-n', '-c', '1', '-W', '1', '{ip}'],
    });
    expect(config.networking.slots).toHaveLength(20);
    expect(config.networking.slots[19]).toEqual({ group: '234.5.6.20', port: 10_020 });
    expect(config.permissions).toEqual({ leasesServer: 'faraday.inria.fr', leasesPort: 12_346 });
    expect(config.runs).toEqual({ dir: null, keep: 200, keepDays: 90, prometheusFile: null });
    expect(config.groups.size).toBe(0);
    expect(describe().every(({ source }) => source === 'default')).toBe(true);
  });

  test('keeps what sections of single nodes say apart, in order, and says what they may not hold', async () => {
    await site.write({
      etc: section('node 7 12-14', 'bandwidth = 90', 'hard_drive = /dev/nvme0n1'),
      cwd: section('node 7', 'bandwidth = 10', 'bandwith = 11', 'telnet_port = 24') + section('nodes', 'boot_window = 20/2s'),
    });
    const { config, warnings, describe } = await site.load();
    expect(config.overrides).toMatchObject([
      { specs: '7 12-14', bandwidthMibps: 90, hardDrive: '/dev/nvme0n1', stallTimeoutMs: undefined },
      { specs: '7', bandwidthMibps: 10 },
    ]);
    expect(config.networking.bandwidthMibps).toBe(50);
    expect(config.nodes.bootWindow).toEqual({ nodes: 20, perMs: 2_000 });
    expect(warnings).toEqual([
      expect.stringContaining('bandwith cannot be set for single nodes: did you mean bandwidth?'),
      expect.stringContaining('telnet_port cannot be set for single nodes'),
    ]);
    expect(describe()).toContainEqual({
      section: 'node 7 12-14',
      key: 'bandwidth',
      value: '90',
      source: site.etc,
      writtenKey: 'bandwidth',
    });
  });

  test('refuses values in sections of single nodes as it does elsewhere', async () => {
    await site.write({ etc: section('node 7', 'bandwidth = fast', 'hard_drive = /dev/sda; reboot') });
    await expect(site.load()).rejects.toMatchObject({
      kind: 'environment',
      message: expect.stringMatching(/\[node 7\] bandwidth = "fast" is not allowed: .*Mibit/),
    });
  });

  test('takes each key from the last file that has it', async () => {
    await site.write({
      etc: section('networking', 'bandwidth = 100', 'telnet_port = 2301', 'ssh_port = 2201'),
      home: section('networking', 'bandwidth = 200', 'telnet_port = 2302'),
      cwd: section('networking', 'bandwidth = 300') + section('testbed', 'all_scope = 1-37'),
    });
    const { config, describe } = await site.load();
    expect(config.networking).toMatchObject({ bandwidthMibps: 300, telnetPort: 2302, sshPort: 2201, cmcPort: 80 });
    expect(config.testbed.allScope).toBe('1-37');
    const sources = Object.fromEntries(describe().map((setting) => [setting.key, `${setting.value} ${setting.source}`]));
    expect(sources).toMatchObject({
      bandwidth: `300 ${site.path('cwd')}`,
      telnet_port: `2302 ${site.path('home')}`,
      ssh_port: `2201 ${site.path('etc')}`,
      cmc_port: '80 default',
    });
  });

  test('prefers key.<host>, in whatever file, unless it is empty', async () => {
    await site.write({
      etc:
        section('networking', 'bandwidth = 50', 'bandwidth.faraday = 500', 'bandwidth.bemol = 90') +
        section('testbed', 'all_scope.faraday = 1-37', 'all_scope = 4,38-41'),
      home: section('networking', 'bandwidth = 60'),
    });
    const bandwidth = async (hostname: string): Promise<[number, string | null]> => {
      site.hostname = hostname;
      const { config } = await site.load();
      return [config.networking.bandwidthMibps, config.testbed.allScope];
    };
    expect(await bandwidth('faraday')).toEqual([500, '1-37']);
    expect(await bandwidth('FARADAY')).toEqual([500, '1-37']);
    expect(await bandwidth('bemol')).toEqual([90, '4,38-41']);
    expect(await bandwidth('other')).toEqual([60, '4,38-41']);
    site.hostname = 'faraday';
    expect((await site.load()).describe().find(({ key }) => key === 'bandwidth')).toEqual({
      section: 'networking',
      key: 'bandwidth',
      value: '500',
      source: site.etc,
      writtenKey: 'bandwidth.faraday',
    });
    await site.write({ cwd: section('networking', 'bandwidth.faraday =') });
    expect(await bandwidth('faraday')).toEqual([60, '1-37']);
  });

  test('lets an empty value stand where that means something, and refuses it elsewhere', async () => {
    await site.write({
      etc:
        section('networking', 'ping_command = ping {ip}', 'local_control_ip = 1.2.3.4') +
        section('testbed', 'all_scope = 1-3') +
        section('frisbee', 'server_options = -x'),
      home:
        section('networking', 'ping_command =', 'local_control_ip =') +
        section('testbed', 'all_scope =') +
        section('frisbee', 'server_options ='),
    });
    const { config } = await site.load();
    expect(config.networking).toMatchObject({ pingCommand: null, localControlIp: null });
    expect(config.testbed.allScope).toBeNull();
    expect(config.frisbee.serverOptions).toEqual([]);
    await site.write({ home: section('networking', 'bandwidth =') });
    expect((await rejected(UserError, site.load())).message).toContain('[networking] bandwidth = "" is not allowed');
  });

  test('takes relative paths from the folder of their file', async () => {
    await site.write({
      home: section('frisbee', 'images_dir = ~/images') + section('testbed', 'inventory_path = slots.json'),
      cwd: section('pxelinux', 'config_dir = tftp/'),
    });
    const { config } = await site.load();
    expect(config.frisbee.imagesDir).toBe(join(site.home, 'images'));
    expect(config.testbed.inventoryPath).toBe(join(site.home, 'slots.json'));
    expect(config.pxelinux.configDir).toBe(join(site.cwd, 'tftp'));
  });

  test('lists all bad values together, with file, section, key and what is allowed', async () => {
    await site.write({
      etc: section('networking', 'bandwidth.faraday = 5x', 'bandwidth.bemol = nonsense'),
      cwd: section('frisbee', 'engine = frisbee') + section('nodes', 'idle_after_reset = 15 s'),
    });
    const error = await rejected(UserError, site.load());
    expect(error.kind).toBe('environment');
    expect(error.message.split('\n')).toEqual([
      `${site.path('cwd')}: [nodes] idle_after_reset = "15 s" is not allowed: it must be a number, 0 to 604800, in seconds`,
      `${site.path('cwd')}: [frisbee] engine = "frisbee" is not allowed: it must be embedded or frisbeed`,
      `${site.etc}: [networking] bandwidth.faraday = "5x" is not allowed: it must be a number, 0.1 to 100000, in Mibit/s`,
    ]);
  });

  test('takes a list of words, in any order, and hints at the word that somebody meant', async () => {
    await site.write({ etc: section('native', 'off = uevents, udp-batches') });
    expect((await site.load()).config.native).toEqual({ off: ['uevents', 'udp-batches'] });
    await site.write({ etc: section('native', 'off = all direct-ios') });
    expect((await rejected(UserError, site.load())).message).toMatch(
      /\[native\] off = "all direct-ios" is not allowed: it must be some of udp-batches, direct-io, .*, all, separated by commas or blanks; may be empty; did you mean direct-io\?$/,
    );
  });

  test('checks the multicast patterns together', async () => {
    await site.write({ cwd: section('networking', 'pattern_port = 65500 + *', 'pattern_size = 50') });
    expect((await rejected(UserError, site.load())).message).toBe(
      `${site.path('cwd')}: [networking] pattern_port = "65500 + *" is not allowed: its slot 36 (pattern_size is 50) is 65536, no port (1 to 65535)`,
    );
    await site.write({ cwd: section('networking', 'pattern_port = 20000 + 2 * *', 'pattern_multicast = 239.1.*.7', 'pattern_size = 2') });
    expect((await site.load()).config.networking.slots).toEqual([
      { group: '239.1.1.7', port: 20_002 },
      { group: '239.1.2.7', port: 20_004 },
    ]);
    await site.write({ cwd: section('networking', 'pattern_port = require("fs")') });
    expect((await rejected(UserError, site.load())).message).toContain('pattern_port = "require(\\"fs\\")" is not allowed');
  });
});

describe('what configuration warns about', () => {
  const warnings = async (text: string): Promise<string[]> => {
    await site.write({ cwd: text });
    return (await site.load()).warnings.map((line) => line.replace(`${site.path('cwd')}: `, ''));
  };

  test('a missing system file, and only that', async () => {
    await rm(site.etc);
    expect((await site.load()).warnings).toEqual([`${site.etc} is missing: defaults apply where no other file says otherwise`]);
  });

  test('unknown keys and sections, with the nearest name', async () => {
    expect(
      await warnings(section('networking', 'bandwith = 5', 'images_dir = /x', 'colour = red', 'ssh_prot.faraday = 3', 'constructor = 1')),
    ).toEqual([
      'unknown key [networking] bandwith: did you mean bandwidth?',
      'unknown key [networking] images_dir: it belongs to section [frisbee]',
      'unknown key [networking] colour',
      'unknown key [networking] ssh_prot.faraday: did you mean ssh_port?',
      'unknown key [networking] constructor',
    ]);
    expect(
      await warnings(section('network', 'bandwidth = 5') + section('weather', 'rain = no') + section('testbed.all_scope', 'faraday = 1-3')),
    ).toEqual([
      'unknown section [network]: did you mean [networking]?',
      'unknown section [weather]',
      'unknown section [testbed.all_scope]',
    ]);
  });

  test('renamed keys, whose value counts, in one line', async () => {
    expect(
      await warnings(
        section('nodes', 'cmc_default_timeout.faraday = 3') + section('testbed', 'inventory_nodes_path = /a', 'inventory_path = /b'),
      ),
    ).toEqual([
      'keys of a relative of this tool: renamed here: nodes.cmc_default_timeout.faraday -> nodes.status_default_timeout.faraday, testbed.inventory_nodes_path -> testbed.inventory_path (docs/configuration.md says why)',
    ]);
    const { config } = await site.load();
    expect(config.nodes.statusTimeoutMs).toBe(3_000);
    expect(config.testbed.inventoryPath).toBe('/b');
  });

  test('dropped keys in one line, whole sections by their names', async () => {
    expect(
      await warnings(
        section('frisbee', 'netcat_style = ubuntu') +
          section('monitor', 'cycle_nodes = 2', 'cycle_leases = 60') +
          section('plcapi', 'plcapi_url = https://x'),
      ),
    ).toEqual([
      'keys of a relative of this tool: without effect: frisbee.netcat_style, [monitor], [plcapi] (docs/configuration.md says why)',
    ]);
  });

  test('one line for a whole file that was written for a relative, and one for each key that nobody knows', async () => {
    const text =
      section('plcapi', 'plcapi_url = https://x:443/PLCAPI/', 'leases_hostname = r2lab') +
      section('testbed', 'inventory_nodes_path = /a', 'inventory_phones_path = /b', 'inventory_pdus_path = /c') +
      section('nodes', 'cmc_default_timeout = 3', 'cmc_safe_timeout = 60', 'load_nightly_timeout = 150', 'colour = red') +
      section('frisbee', 'netcat_style = fedora') +
      section('networking', 'ssh_timeout = 2', 'ping_timeout = 0.5', 'telnet_timeout = 0.5') +
      section('monitor', 'cycle_nodes = 2') +
      section('sidecar', 'url = wss://x') +
      section('accounts', 'cycle = 60', 'privileged = root,guest');
    const said = await warnings(text);
    expect(said).toHaveLength(2);
    expect(said[0]).toBe('unknown key [nodes] colour');
    expect(said[1]).toMatch(
      /renamed here: testbed\.inventory_nodes_path -> testbed\.inventory_path, .*accounts\.privileged -> leases\.privileged; without effect: \[plcapi\], .*\[sidecar\], \[accounts\]/,
    );
  });
});

describe('IMAGING_CONFIG', () => {
  test('replaces all layers, even untrusted ones', async () => {
    await site.write({
      etc: section('networking', 'bandwidth = 1'),
      home: 'nonsense',
      'own.conf': section('networking', 'ssh_port = 2200'),
    });
    site.env = { IMAGING_CONFIG: join(site.root, 'own.conf') };
    const { config, warnings } = await site.load();
    expect(config.networking).toMatchObject({ bandwidthMibps: 50, sshPort: 2200 });
    expect(warnings).toEqual([]);
  });

  test('may name several files, the last one strongest, relative to the current folder', async () => {
    await site.write({ 'a.conf': section('networking', 'ssh_port = 1', 'cmc_port = 1'), 'b.conf': section('networking', 'ssh_port = 2') });
    site.env = { IMAGING_CONFIG: `${join(site.root, 'a.conf')}:../../b.conf:` };
    expect((await site.load()).config.networking).toMatchObject({ sshPort: 2, cmcPort: 1 });
  });

  test('must name files that are there; empty is as good as unset', async () => {
    site.env = { IMAGING_CONFIG: '/nowhere/x.conf' };
    const error = await rejected(UserError, site.load());
    expect(error).toMatchObject({
      kind: 'environment',
      message: 'cannot read the configuration /nowhere/x.conf: there is no such file',
      hint: 'IMAGING_CONFIG names it',
    });
    site.env = { IMAGING_CONFIG: '' };
    await site.write({ etc: section('networking', 'ssh_port = 2200') });
    expect((await site.load()).config.networking.sshPort).toBe(2200);
  });
});

describe('files that are no configuration', () => {
  test('a folder or a pipe of that name is refused, and hangs nobody', async () => {
    await mkdir(site.path('cwd'));
    expect((await rejected(UserError, site.load())).message).toBe(`configuration ${site.path('cwd')}: it is no file`);
    await rm(site.path('cwd'), { recursive: true });
    execFileSync('mkfifo', [site.path('cwd')]);
    expect((await rejected(UserError, site.load())).message).toBe(`configuration ${site.path('cwd')}: it is no file`);
  });

  test('a huge one is refused, one that is no text is told by line', async () => {
    await site.write({ cwd: '#'.repeat(2_000_000) });
    expect((await rejected(UserError, site.load())).message).toContain('2000000 bytes are too many');
    await site.write({ cwd: '\u007fELF\u0002\u0001' });
    expect((await rejected(UserError, site.load())).message).toMatch(/imaging.conf, line 1: /);
  });

  test('a current folder that is gone, or no home, leaves the other layers', async () => {
    await site.write({ etc: section('networking', 'ssh_port = 2200') });
    const host = {
      ...site.host,
      home: () => '',
      cwd: () => {
        throw new Error('ENOENT: uv_cwd');
      },
    };
    expect((await loadConfig(host, site.etc)).config.networking.sshPort).toBe(2200);
  });

  test('the system file is not read twice from its own folder', async () => {
    await site.write({ etc: section('networking', 'colour = red') });
    const host = { ...site.host, cwd: () => join(site.root, 'etc') };
    expect((await loadConfig(host, site.etc)).warnings).toHaveLength(1);
  });

  test('has groups under names of the site’s own, for this host where it says so', async () => {
    await site.write({
      etc: section('groups', 'Pairs = 2-12-2 ~4', 'usrp = 1,3', 'usrp.faraday = 5-6', 'usrp.bemol = 9', 'none.bemol = 1'),
      cwd: section('groups', 'pairs = 2,4'),
    });
    const { config, warnings, describe } = await site.load();
    expect(warnings).toEqual([]);
    expect([...config.groups]).toEqual([
      ['pairs', '2,4'],
      ['usrp', '5-6'],
    ]);
    expect(describe().slice(-2)).toEqual([
      { section: 'groups', key: 'pairs', value: '2,4', source: site.path('cwd'), writtenKey: 'pairs' },
      { section: 'groups', key: 'usrp', value: '5-6', source: site.etc, writtenKey: 'usrp.faraday' },
    ]);
  });
});
