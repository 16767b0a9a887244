import { appendFileSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { makeDemoImage } from '../../src/testbed/demo-image.js';
import { run, scratch, type Finished } from '../helpers/cli.js';
import { DEAD, storeRun } from '../runs/stored.js';

/** A window title, a colour, an 8-bit sequence, a turned direction, and a line of its own. */
const EVIL = 'x\u001b]0;owned\u0007\u001b[31m\u009b31m\u202e\u2066\u007f\nINJECTED line\r\ty';
const FILE = EVIL; // a name may hold all of it

/** What reached the terminal and must not: control characters, turned directions, and lines that others made. */
function faults({ stdout, stderr }: Finished): string[] {
  const text = `${stdout}\n${stderr}`;
  const raw = text.match(/(?![\n\t])[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g) ?? [];
  return [...raw.map((char) => `U+${char.charCodeAt(0).toString(16)}`), ...text.split('\n').filter((line) => /^\s*INJECTED/.test(line))];
}

test("nobody else's words control the terminal or make lines of their own", { timeout: 120_000 }, async () => {
  const dir = scratch();
  const images = join(dir, 'images');
  const state = join(dir, 'state');
  mkdirSync(images);
  const image = join(images, `${FILE}.ndz`);
  renameSync((await makeDemoImage(dir, { sizeBytes: 2_097_152 })).ndzPath, image);
  const id = '20261128-100000-load-aaaa';
  const path = storeRun(state, id, 'finished', {
    argv: ['-i', EVIL, '1'],
    cwd: `/${EVIL}`,
    env: { NODES: EVIL },
    details: { image: EVIL, more: [EVIL] },
    login: EVIL,
    host: EVIL,
    version: EVIL,
    process: DEAD,
  });
  forge(join(path, 'plan.json'));
  forge(join(path, 'events.jsonl'));
  appendFileSync(join(path, 'fit01.log'), `${EVIL.replace('\n', '')}\n`);
  const conf = join(dir, 'site.conf');
  writeFileSync(
    conf,
    `[frisbee]\nimages_dir = ${images}\n[runs]\ndir = ${state}\n[testbed]\ninventory_path = ${join(dir, 'inventory.json')}\n`,
  );
  writeFileSync(
    join(dir, 'inventory.json'),
    JSON.stringify([{ cmc: { hostname: EVIL, ip: EVIL, mac: EVIL }, control: { hostname: EVIL, ip: EVIL, mac: EVIL } }]),
  );
  const goodConf = join(dir, 'good.conf');
  writeFileSync(
    goodConf,
    `${readFileSync(conf, 'utf8').replace('inventory.json', 'good.json')}[networking]\nlocal_control_ip = 127.0.2.9\n`,
  );
  const nic = (name: string, at: number): object => ({ hostname: name, ip: `127.0.${at}.1`, mac: `02:00:00:00:0${at}:01` });
  writeFileSync(join(dir, 'good.json'), JSON.stringify([{ cmc: nic('reboot01', 1), control: nic('fit01', 2) }]));
  const env = { IMAGING_CONFIG: conf };
  const commands: [string, ...string[]][] = [
    ['imaging', EVIL],
    ['imaging-image', EVIL],
    ['imaging-list', `--${EVIL}`],
    ['imaging-image', 'info', EVIL],
    ['imaging-image', 'info', image],
    ['imaging-image', 'info', '--json', image],
    ['imaging-image', 'verify', image],
    ['imaging-image', 'diff', image, image],
    ['imaging-image', 'diff', '--json', image, image],
    ['imaging-image', 'unzip', image, join(dir, FILE)],
    ['imaging-resolve', `${FILE}.ndz`],
    ['imaging-resolve', '--json', `${FILE}.ndz`],
    ['imaging-resolve', EVIL],
    ['imaging-list'],
    ['imaging-list', '--json'],
    ['imaging-share', image, '--dry-run'],
    ['imaging-runs', 'list'],
    ['imaging-runs', 'list', '--json'],
    ['imaging-runs', 'show', id],
    ['imaging-runs', 'show', id, '--json'],
    ['imaging-runs', 'resume', id, '--dry-run'],
    ['imaging-runs', 'resume', id],
    ['imaging-runs', 'replay', id, '--progress', 'plain'],
    ['imaging-runs', 'replay', id, '--progress', 'json'],
    ['imaging-runs', 'events', id],
    ['imaging-runs', 'attach', id],
    ['imaging-runs', 'log', id, '1'],
    ['imaging-runs', 'stats'],
    ['imaging-runs', 'show', EVIL],
    ['imaging-load', '-i', EVIL, '1', '--dry-run'],
    ['imaging-load', '-i', `${FILE}.ndz`, '1', '--dry-run'],
    ['imaging-load', '-i', `${FILE}.ndz`, '1', '--dry-run', '--progress', 'json'],
    ['imaging-inventory', 'check'],
    ['imaging-inventory', 'show'],
    ['imaging-nodes', EVIL],
    ['imaging-config', EVIL],
    ['imaging-config', '--json'],
    ['imaging-leases', 'list'],
    ['imaging-frisbee', '-m', EVIL, '-p', '1', join(dir, 'out')],
    ['imaging-frisbeed', '-m', '127.0.0.1', '-p', '1', `${EVIL}gone`],
    ['imaging-imagezip', EVIL, join(dir, 'out')],
    ['imaging-imageunzip', EVIL, join(dir, 'out')],
  ];
  const found: string[] = [];
  const one = async ([name, ...args]: [string, ...string[]]): Promise<void> => {
    const end = await run(name, args, { env: name === 'imaging-load' ? { IMAGING_CONFIG: goodConf } : env, cwd: dir });
    if (end.stdout + end.stderr === '') found.push(`${name} ${args[0]}: says nothing`);
    if (end.code === 70) found.push(`${name} ${args[0]}: ${end.stderr}`);
    found.push(
      ...faults(end).map(
        (fault) =>
          `${name} ${args
            .slice(0, 2)
            .map((arg) => JSON.stringify(arg))
            .join(' ')}: ${fault}`,
      ),
    );
  };
  const worker = async (): Promise<void> => {
    for (let next = commands.shift(); next; next = commands.shift()) await one(next);
  };
  await Promise.all([worker(), worker(), worker()]);
  expect(found).toEqual([]);
});

test('JSON has the very name, though escaped', async () => {
  const dir = scratch();
  writeFileSync(join(dir, `${FILE}.ndz`), '');
  const conf = join(dir, 'site.conf');
  writeFileSync(conf, `[frisbee]\nimages_dir = ${dir}\n`);
  const { stdout } = await run('imaging-list', ['--json'], { env: { IMAGING_CONFIG: conf } });
  expect((JSON.parse(stdout) as { images: { name: string }[] }).images.map(({ name }) => name)).toContain(FILE);
});

/** Puts the words into every text of a JSON file that says how something went. */
function forge(path: string): void {
  const words = JSON.stringify(EVIL).slice(1, -1);
  writeFileSync(
    path,
    readFileSync(path, 'utf8')
      .replaceAll('"fine"', `"${words}"`)
      .replace(/nothing\\ncame/g, words)
      .replaceAll('"look"', `"${words}"`)
      .replaceAll('"no turn"', `"${words}"`)
      .replaceAll('"boot-deadline"', `"${words}"`),
  );
}
