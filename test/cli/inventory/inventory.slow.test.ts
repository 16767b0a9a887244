import { spawn } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { once } from 'node:events';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { writeFiles } from '../../../src/cli/inventory/output-files.js';
import { unfinishedName } from '../../../src/util/whole-file.js';
import { packageRoot } from '../../../src/util/dist.js';
import { UserError } from '../../../src/util/errors.js';
import { run, scratch, type Finished } from '../../helpers/cli.js';
import { rejected } from '../../helpers/thrown.js';

const EXAMPLES = join(packageRoot, 'inventory');
const sites = ['faraday', 'bemol'];
const made = sites.flatMap((site) => ['inventory.json', 'hosts', 'dnsmasq', 'omf.json', 'conf'].map((what) => `${site}.${what}`));

const inventory = (args: readonly string[], config = join(EXAMPLES, 'faraday.conf'), env: Record<string, string> = {}): Promise<Finished> =>
  run('imaging-inventory', args, { env: { IMAGING_CONFIG: config, ...env } });
const bytes = (dir: string): string[] => made.map((name) => readFileSync(join(dir, name), 'latin1'));

describe('the example sites', () => {
  test('are what generate gives, to the byte, wherever it runs', async () => {
    const dir = join(scratch(), 'new', 'folder');
    const result = await inventory(['generate', ...sites.map((site) => join(EXAMPLES, `${site}.ini`)), '-o', dir], undefined, {
      TZ: 'Asia/Tokyo',
      LANG: 'tr_TR.UTF-8',
    });
    expect(result).toMatchObject({ code: 0, stderr: '' });
    expect(readdirSync(dir).sort()).toEqual([...made].sort());
    expect(bytes(dir)).toEqual(bytes(EXAMPLES));
  });

  test.each(sites)('%s passes the check, with the configuration made for it', async (site) => {
    const result = await inventory(['check'], join(EXAMPLES, `${site}.conf`));
    expect(result).toMatchObject({ code: 0, stderr: '' });
    expect(result.stdout).toContain('nothing wrong');
  });

  test('have the replacements where they sit', async () => {
    const { stdout, code } = await inventory(['show', '--json', '15', '18', '1'], undefined, { NODES: '3' });
    expect(code).toBe(0);
    const rows: unknown = JSON.parse(stdout);
    expect(rows).toMatchObject([
      { slot: 1, physical: 1 },
      {
        slot: 15,
        physical: 41,
        cmc: { hostname: 'reboot15', ip: '192.168.1.41', mac: '02:00:00:00:00:41' },
        control: { hostname: 'fit15', ip: '192.168.3.15' },
      },
      { slot: 18, physical: 39 },
    ]);
    expect((await inventory(['show', '--json'], undefined, { NODES: '3' })).stdout.match(/"slot"/g)).toHaveLength(37);
    const text = (await inventory(['show', '14-15'])).stdout;
    const docs = readFileSync(join(packageRoot, 'docs/inventory.md'), 'utf8');
    expect(docs).toContain(
      text
        .trim()
        .split('\n')
        .map((line) => (line === '' ? '' : `    ${line}`))
        .join('\n'),
    );
    expect((await inventory(['show', '-f', join(EXAMPLES, 'example.json')])).stdout).toContain('machine 39 in slot 18');
  });
});

describe('generate', () => {
  let dir: string;
  let args: string[];
  const edit = (file: string, from: string | RegExp, to: string): void => {
    const text = readFileSync(join(dir, file), 'utf8');
    expect(text).toMatch(from);
    writeFileSync(join(dir, file), text.replace(from, to));
  };
  beforeEach(() => {
    dir = scratch();
    for (const name of ['machines.map', 'faraday.ini', 'bemol.ini', ...made]) copyFileSync(join(EXAMPLES, name), join(dir, name));
    args = ['generate', ...sites.map((site) => join(dir, `${site}.ini`))];
  });

  test('touches no file that is right already', async () => {
    const times = (): number[] => made.map((name) => statSync(join(dir, name)).mtimeMs);
    const before = times();
    expect((await inventory(args)).stdout).toBe('faraday: 37 nodes; 5 files unchanged\nbemol: 3 nodes; 5 files unchanged\n');
    expect(times()).toEqual(before);
  });

  test('--check tells what differs or is missing, and writes nothing', async () => {
    expect((await inventory([...args, '--check'])).code).toBe(0);
    edit('machines.map', /^38 .*preplab/m, '38 00:03:1d:0e:05:63 greece');
    const fresh = join(dir, 'elsewhere');
    const result = await inventory([...args, '--check']);
    expect(result.code).toBe(1);
    expect(result.stdout).toContain(`${join(dir, 'bemol.hosts')} differs from what the description gives\n`);
    expect(result.stdout).toMatch(/^faraday: 37 nodes; 5 of 5 files up to date\n[^]*bemol: 2 nodes; 0 of 5 files up to date\n$/);
    expect(bytes(dir)).toEqual(bytes(EXAMPLES));
    const missing = await inventory([...args, '--check', '-o', fresh]);
    expect(missing.code).toBe(1);
    expect(missing.stdout).toContain(`${join(fresh, 'faraday.conf')} is missing\n`);
    expect(existsSync(fresh)).toBe(false);
  });

  test('moves a machine: its card and MAC go with it, in every file', async () => {
    edit('machines.map', /^(7 .*?)\s7 /m, '$1 preplab ');
    edit('machines.map', /^(38 .*?)preplab/m, '$1 7');
    expect((await inventory(args)).code).toBe(0);
    const [conf, hosts, dnsmasq] = ['bemol.conf', 'faraday.hosts', 'faraday.dnsmasq'].map((name) => readFileSync(join(dir, name), 'utf8'));
    expect(conf).toContain('all_scope = 7,15,18\n');
    expect(hosts).toContain('192.168.1.38    reboot07.');
    expect(dnsmasq).toContain('set:control,00:03:1d:0e:05:63,192.168.3.7,fit07\n');
    expect((await inventory([...args, '--check'])).code).toBe(0);
  });

  test('writes nothing when anything is wrong with any site, and tells all of it', async () => {
    edit('machines.map', /^(38 .*?)preplab/m, '$1 15');
    edit('machines.map', '00:03:1d:0e:03:21', '00:03:1d:0e:03');
    edit('bemol.ini', 'mode = preplab', 'mode = lab');
    for (const site of sites) writeFileSync(join(dir, `${site}.hosts`), 'old');
    const before = readdirSync(dir);
    const result = await inventory(args);
    const map = join(dir, 'machines.map');
    const lineOf = (number: number): number =>
      readFileSync(map, 'utf8')
        .split('\n')
        .findIndex((line) => line.startsWith(`${number} `)) + 1;
    expect(result).toMatchObject({ code: 4, stdout: '' });
    expect(result.stderr.split('\n').slice(0, 3)).toEqual([
      `imaging: ${map}, line ${lineOf(2)}: "00:03:1d:0e:03" is not a MAC address (six hex pairs)`,
      `${map}, line ${lineOf(41)}: slot 15 is already on line ${lineOf(38)}`,
      `${join(dir, 'bemol.ini')}: [site] mode = "lab" is not allowed: it must be production or preplab`,
    ]);
    expect(readdirSync(dir)).toEqual(before);
    for (const site of sites) expect(readFileSync(join(dir, `${site}.hosts`), 'utf8')).toBe('old');
  });

  test('leaves a link a link, and nothing of a run that was killed; a live one’s files stay', async () => {
    const child = spawn('true');
    const [dead] = [child.pid, await once(child, 'close')];
    const real = join(scratch(), 'real.hosts');
    writeFileSync(real, 'old');
    const out = join(dir, 'out');
    mkdirSync(out);
    symlinkSync(real, join(out, 'faraday.hosts'));
    const live = unfinishedName('faraday.conf');
    writeFileSync(join(out, live.replace(`-${process.pid}-`, `-${dead}-`)), 'half');
    writeFileSync(join(out, live), 'half');
    expect((await inventory([...args, '-o', out])).code).toBe(0);
    expect(readlinkSync(join(out, 'faraday.hosts'))).toBe(real);
    expect(readFileSync(real, 'utf8')).toBe(readFileSync(join(EXAMPLES, 'faraday.hosts'), 'utf8'));
    expect(readdirSync(out).sort()).toEqual([...made, live].sort());
  });

  test('puts no file in place when one of them cannot be written', async () => {
    const out = join(dir, 'out');
    mkdirSync(join(out, 'b'), { recursive: true });
    writeFileSync(join(out, 'a'), 'old');
    const failed = await rejected(
      UserError,
      writeFiles(out, [
        { name: 'b', text: 'new' },
        { name: 'a', text: 'new' },
      ]),
    );
    expect(failed).toMatchObject({ kind: 'environment', message: expect.stringContaining(`cannot write ${join(out, 'b')}`) });
    expect(readFileSync(join(out, 'a'), 'utf8')).toBe('old');
    expect(readdirSync(out).sort()).toEqual(['a', 'b']);
  });

  test('names what it cannot read or write', async () => {
    writeFileSync(join(dir, 'file'), '');
    expect(await inventory([...args, '-o', join(dir, 'file')])).toMatchObject({
      code: 4,
      stdout: '',
      stderr: expect.stringContaining(join(dir, 'file')),
    });
    expect(await inventory(['generate', join(dir, 'none.ini')])).toMatchObject({
      code: 4,
      stderr: expect.stringContaining(`cannot read the site description ${join(dir, 'none.ini')}: there is no such file`),
    });
    edit('bemol.ini', 'map = machines.map', 'map = none.map');
    expect(await inventory(args)).toMatchObject({
      code: 4,
      stderr: expect.stringContaining(`the machine map of ${join(dir, 'bemol.ini')}, ${join(dir, 'none.map')}: there is no such file`),
    });
    edit('bemol.ini', 'none.map', 'machines.map');
    edit('bemol.ini', 'name = bemol', 'name = faraday');
    expect(await inventory(args)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining(`two of the sites would write ${join(dir, 'faraday')}.*`),
    });
  });

  test.each<[string[], string]>([
    [[], 'no action given'],
    [['genrate'], 'did you mean generate?'],
    [['generate'], 'generate takes SITE ..., not nothing'],
    [['generate', 'a.ini', '--json'], '--json means nothing to generate'],
    [['show', '--check'], '--check means nothing to show'],
    [['check', 'a', 'b'], 'check takes [FILE], not "a" "b"'],
    [['show', '99'], 'node 99 is not in the inventory'],
  ])('usage: %j', async (words, expected) => {
    expect(await inventory(words)).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining(expected) });
  });
});

describe('check', () => {
  test('warns with exit code 1, refuses with 4', async () => {
    const dir = scratch();
    const [file, config] = [join(dir, 'i.json'), join(dir, 'imaging.conf')];
    writeFileSync(config, '[testbed]\ninventory_path = i.json\nall_scope = 1,4-5\n[networking]\nlocal_control_ip = 192.168.3.1\n');
    writeFileSync(file, readFileSync(join(EXAMPLES, 'example.json'), 'utf8').replace('02:00:00:00:00:39', '02:00:00:00:00:18'));
    const warned = await inventory(['check'], config);
    expect(warned.code).toBe(1);
    expect(warned.stdout.split('\n')).toEqual([
      `${file}: fit18: cmc.mac 02:00:00:00:00:18 is not the card of cmc.ip 192.168.1.39: the firmware puts one machine's number into both`,
      `${file}: testbed.all_scope = 1,4-5 names nodes that are not in the inventory: 4-5`,
      `${file}: networking.local_control_ip = 192.168.3.1 is an address of fit01`,
      `${file}: 3 nodes (1-2,18), 3 warnings`,
      '',
    ]);
    const json: unknown = JSON.parse((await inventory(['check', '--json', file], config)).stdout);
    expect(json).toMatchObject({ path: file, nodes: '1-2,18', count: 3, warnings: { length: 3 } });
    writeFileSync(file, readFileSync(file, 'utf8').replace('00:03:1d:0e:03:21', '00:03'));
    const refused = await inventory(['check'], config);
    expect(refused).toMatchObject({ code: 4, stdout: '' });
    expect(refused.stderr).toContain(`${file}: entry 2: control.mac: "00:03" is not a MAC address`);
  });
});
