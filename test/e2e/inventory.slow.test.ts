import { createHash } from 'node:crypto';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { run, scratch } from '../helpers/cli.js';
import { testbedUp, type ChildTestbed } from '../helpers/testbed.js';

/** Three machines, as they are: where each one's card and interface answer, and with what MAC. 15 and 41 are where the other one might be expected. */
const hardware = [
  {
    cmc: { hostname: 'reboot14', ip: '127.1.1.14', mac: '02:00:00:00:00:14' },
    control: { hostname: 'fit14', ip: '127.1.3.14', mac: '00:03:1d:0e:03:55' },
  },
  {
    cmc: { hostname: 'reboot15', ip: '127.1.1.41', mac: '02:00:00:00:00:41' },
    control: { hostname: 'fit15', ip: '127.1.3.15', mac: '00:03:1d:0e:05:67' },
  },
  {
    cmc: { hostname: 'reboot16', ip: '127.1.1.15', mac: '02:00:00:00:00:15' },
    control: { hostname: 'fit16', ip: '127.1.3.16', mac: '00:03:1d:0e:04:00' },
  },
];
const MAP =
  '14 00:03:1d:0e:03:55 14 intel atheros\n15 00:03:1d:0e:04:00 16 intel atheros # repaired, in another slot\n41 00:03:1d:0e:05:67 15 intel atheros # replaces 15\n';
const SITE =
  '[site]\nname = chamber\nmode = production\nmap = machines.map\n[networks]\ncmc = 127.1.1.0/24\ncontrol = 127.1.3.0/24\ndata = 127.1.2.0/24\n';

let testbed: ChildTestbed;
/** The testbed's ports and folders, and on top of them the inventory that was generated. */
let env: Record<string, string>;
beforeAll(async () => {
  const dir = scratch();
  writeFileSync(join(dir, 'hardware.json'), JSON.stringify(hardware));
  writeFileSync(join(dir, 'machines.map'), MAP);
  writeFileSync(join(dir, 'chamber.ini'), SITE);
  testbed = await testbedUp(null, '--inventory', join(dir, 'hardware.json'));
  const made = await run('imaging-inventory', ['generate', join(dir, 'chamber.ini')]);
  expect(made).toMatchObject({ code: 0, stderr: '' });
  env = { IMAGING_CONFIG: `${join(testbed.dir, 'imaging.conf')}:${join(dir, 'chamber.conf')}` };
});
afterAll(() => testbed.close());

const diskOf = (node: string): string => join(testbed.dir, 'nodes', node, 'disk.img');
const sha256 = (file: string): string => createHash('sha256').update(readFileSync(file)).digest('hex');

test('a load of a replacement reaches its own card and MAC, and no other machine', async () => {
  const untouched = ['fit14', 'fit16'].map((node) => statSync(diskOf(node)).mtimeMs);
  const running = testbed.start('imaging-load', ['-i', 'demo', '15', '-u', '--progress', 'json'], env);
  await running.event((event) => event.type === 'target.step' && event.step === 'boot');
  expect(testbed.links().filter((name) => name.startsWith('01-'))).toEqual(['01-00-03-1d-0e-05-67']);
  const { code, stderr } = await running.finished;
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(sha256(diskOf('fit15'))).toBe(sha256(join(testbed.dir, 'images/demo.img')));
  expect(['fit14', 'fit16'].map((node) => statSync(diskOf(node)).mtimeMs)).toEqual(untouched);
  expect((await testbed.run('imaging-status', ['-a'], env)).stdout).toBe('reboot14:off\nreboot15:on\nreboot16:off\n');
});

test('the generated inventory is the hardware, and passes the check', async () => {
  const check = await testbed.run('imaging-inventory', ['check'], env);
  expect(check.stdout).toContain('3 nodes (14-16), nothing wrong');
  expect(check.code).toBe(0);
  const show = await testbed.run('imaging-inventory', ['show', '--json'], env);
  expect(JSON.parse(show.stdout)).toMatchObject([
    { physical: 14, ...hardware[0] },
    { physical: 41, ...hardware[1] },
    { physical: 15, ...hardware[2] },
  ]);
});

test('the testbed refuses addresses that this machine does not have, and a number beside an inventory', async () => {
  const far = join(scratch(), 'far.json');
  writeFileSync(far, JSON.stringify(hardware).replace('127.1.3.16', '192.168.3.16'));
  const refused = await run('imaging-testbed', ['run', '--inventory', far, '--', 'true'], { env: { IMAGING_CONFIG: env.IMAGING_CONFIG } });
  expect(refused).toMatchObject({ code: 4, stderr: expect.stringContaining('fit16 has 192.168.3.16, and without --netns') });
  expect((await run('imaging-testbed', ['run', '3', '--inventory', far, '--', 'true'])).code).toBe(2);
  expect(
    (
      await testbed.run('imaging-testbed', [
        'run',
        '--inventory',
        join(testbed.dir, 'inventory.json'),
        '--fault',
        '1:no-boot',
        '--',
        'true',
      ])
    ).stderr,
  ).toContain('the testbed has nodes 14-16');
});
