import { copyFile, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { parseIni } from '../../src/config/ini-text.js';
import { allKeys } from '../../src/config/schema.js';
import { packageRoot } from '../../src/util/dist.js';
import { Site } from './site.js';
import { droppedRows, exampleLines, keptNames, keyRow, newNames, renamedRows } from './tables.js';

const EXAMPLE = join(packageRoot, 'etc/imaging.conf.example');
/** The keys of the 2015 tool's configuration. */
const KEYS_OF_2015 = `
  permissions.leases_server permissions.leases_port
  testbed.regularname testbed.rebootname testbed.inventory_path
  nodes.idle_after_reset nodes.timeout_before_telnet nodes.status_default_timeout
  nodes.load_default_timeout nodes.save_default_timeout nodes.wait_default_timeout
  pxelinux.config_dir pxelinux.frisbee_image
  frisbee.server frisbee.server_options frisbee.client frisbee.imagezip frisbee.netcat frisbee.hard_drive frisbee.images_dir frisbee.default_image
  networking.telnet_port networking.telnet_backoff networking.ssh_backoff networking.pattern_multicast networking.pattern_port networking.pattern_size
  networking.bandwidth networking.local_control_ip`
  .trim()
  .split(/\s+/);

let site: Site;
beforeEach(async () => {
  site = await Site.make();
});
afterEach(() => site.remove());

describe('etc/imaging.conf.example', () => {
  test('holds every key with its default and its meaning, and no other', async () => {
    const text = await readFile(EXAMPLE, 'utf8');
    for (const spec of allKeys) expect(text).toContain(`\n${exampleLines(spec)}`);
    const held = [...parseIni(text, EXAMPLE)].flatMap(([section, values]) => [...values.keys()].map((key) => `${section}.${key}`));
    expect(held).toEqual(allKeys.map(({ section, key }) => `${section}.${key}`));
  });

  test('loads without a warning, to the same configuration as no file at all', async () => {
    await site.write({ etc: '' });
    const empty = await site.load();
    await copyFile(EXAMPLE, site.etc);
    const example = await site.load();
    expect(example.warnings).toEqual([]);
    expect(example.config).toEqual(empty.config);
    expect(example.describe().every(({ source }) => source === site.etc)).toBe(true);
  });
});

describe('docs/configuration.md', () => {
  const names = (text: string): string[] => [...text.matchAll(/`([\w]+\.[\w]+)`/g)].map((match) => match[1] ?? '');
  const paragraph = (text: string, start: string): string => text.split(/\n\n/).find((block) => block.startsWith(start)) ?? '';

  test('has the schema’s table, row by row', async () => {
    const text = await readFile(join(packageRoot, 'docs/configuration.md'), 'utf8');
    const table = text.split('## Every key')[1]?.split('\n## ')[0] ?? '';
    const rows = table.split('\n').filter((line) => line.startsWith('| `'));
    expect(rows).toEqual(allKeys.map(keyRow));
  });

  test('lists what was kept, is new, was renamed and was dropped', async () => {
    const text = (await readFile(join(packageRoot, 'docs/configuration.md'), 'utf8')).split('## Compared')[1] ?? '';
    expect(names(paragraph(text, '**Kept**'))).toEqual(keptNames);
    expect(names(paragraph(text, '**New**'))).toEqual(newNames);
    const [renamed = '', dropped = ''] = text.split('**Renamed**')[1]?.split('**Dropped**') ?? [];
    const rows = (part: string): string[] => part.split('\n').filter((line) => line.startsWith('| `'));
    expect(rows(renamed)).toEqual(renamedRows);
    expect(rows(dropped)).toEqual(droppedRows);
  });
});

test('every key of 2015 is kept under its name', () => {
  expect([...keptNames].sort()).toEqual([...KEYS_OF_2015].sort());
});
