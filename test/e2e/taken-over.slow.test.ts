// A load that is stopped for long, as a suspended machine is: another gateway takes its node over, and then it wakes up.
import { readFileSync, readdirSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ImagingEvent } from '../../src/events/types.js';
import { createLinks } from '../../src/pxe/links.js';
import { systemHost } from '../../src/util/host.js';
import { thisMachine } from '../../src/util/machine.js';
import { testbedUp, type ChildTestbed } from '../helpers/testbed.js';

let testbed: ChildTestbed;
beforeAll(async () => {
  testbed = await testbedUp(2, '--fault', 'fit01:slow-disk:4', '--boot', '1');
});
afterAll(() => testbed.close());

/** The links as a gateway with the same host name sees them. */
function otherGateway(folder: string) {
  return createLinks({
    configDir: folder,
    target: 'pxefrisbee',
    host: { ...systemHost, machine: () => ({ ...thisMachine(), id: 'other', bootId: 'other' }) },
    run: 'theirs',
  });
}

test.each([
  ['fit01', 'write'],
  ['fit02', 'boot'],
] as const)('%s, taken over during %s, is touched no more: neither its link nor its power', async (node, step) => {
  const folder = join(testbed.dir, 'tftpboot/pxelinux.cfg');
  const load = testbed.start('imaging-load', [node.slice(-1), '--progress', 'json', '--passes', '2']);
  const at = (event: ImagingEvent): boolean => event.type === 'target.step' && event.target === node && event.step === step;
  await load.event(at);
  load.child.kill('SIGSTOP');
  const record = join(folder, readdirSync(folder).find((name) => name.startsWith('.imaging-01')) ?? '');
  const mac = /01-([0-9a-f-]{17})/.exec(record)?.[1]?.replaceAll('-', ':') ?? '';
  const theirs = otherGateway(folder);
  await expect(theirs.claim(mac, node)).rejects.toMatchObject({ code: 'node-busy' });
  const longAgo = new Date(Date.now() - 301_000);
  utimesSync(record, longAgo, longAgo);
  const them = otherGateway(folder);
  await them.place(mac, node);
  const taken = readFileSync(record, 'utf8');

  load.child.kill('SIGCONT');
  const { code, events } = await load.finished;
  expect(code).toBe(1);
  expect(events.flatMap((event) => (event.type === 'target.failed' ? [[event.target, event.code]] : []))).toEqual([[node, 'lock-lost']]);
  expect(events.find((event) => event.type === 'target.failed')).toMatchObject({
    message: expect.stringContaining('in the hands of run theirs') as string,
  });
  const deeds = events.slice(events.findIndex(at)).filter((event) => event.type === 'target.note' && event.text.startsWith('sending'));
  expect(deeds).toEqual([]);
  expect(readFileSync(record, 'utf8')).toBe(taken);
  expect(testbed.links()).toHaveLength(2);
  await them.release(mac);
  expect(testbed.links()).toEqual([]);
});
