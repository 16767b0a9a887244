import { mkdtempSync, readdirSync, rmSync, symlinkSync, utimesSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { patienceWith, SILENT_HERE_MS, SILENT_MS } from '../../src/pxe/judge.js';
import { findLeftovers } from '../../src/pxe/leftovers.js';
import { createLinks, type NextBootLinks } from '../../src/pxe/links.js';
import { temporaryName } from '../../src/pxe/names.js';
import { ourselves, type Who } from '../../src/pxe/who.js';
import { systemHost } from '../../src/util/host.js';
import { type Machine, thisMachine } from '../../src/util/machine.js';

const MAC = '00:03:1d:0e:03:53';
const LINK = '01-00-03-1d-0e-03-53';
const RECORD = `.imaging-${LINK}.json`;

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'imaging-judge-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** The same host name and the same pid, on another machine: only what tells machines apart differs. */
function hostOn(machine: Partial<Machine>) {
  return { ...systemHost, machine: () => ({ ...thisMachine(), ...machine }) };
}

function linksOn(machine: Partial<Machine>, run: string): NextBootLinks {
  return createLinks({ configDir: folder, target: 'pxefrisbee', host: hostOn(machine), run });
}

function silent(name: string, seconds: number): void {
  const at = new Date(Date.now() - seconds * 1000);
  utimesSync(join(folder, name), at, at);
}

const here = thisMachine();
const us = ourselves(systemHost);
const dead = { ...us.process, startTime: '1' };
const gone = { id: here.id, pidNamespace: here.pidNamespace };

test.each<[string, Who, number]>([
  ['we ourselves', us, Infinity],
  ['a process of this boot that is gone', { process: dead, machine: gone }, 0],
  ['one of another pid namespace: its pid means nothing here', { process: dead, machine: { ...gone, pidNamespace: '1' } }, SILENT_HERE_MS],
  ['one with our very pid in another namespace', { process: us.process, machine: { ...gone, pidNamespace: '1' } }, SILENT_HERE_MS],
  [
    'one of this machine before a reboot, or of a clone',
    { process: { ...us.process, bootId: 'other' }, machine: { ...gone, id: here.id || 'x' } },
    here.id === '' ? SILENT_MS : SILENT_HERE_MS,
  ],
  ['another machine', { process: { ...us.process, bootId: 'other' }, machine: { ...gone, id: 'other' } }, SILENT_MS],
  ['two machines without a machine id', { process: { ...us.process, bootId: 'other' }, machine: { ...gone, id: '' } }, SILENT_MS],
  ['an earlier version, this boot, running', { process: us.process, machine: null }, Infinity],
  ['an earlier version, this boot, gone', { process: dead, machine: null }, 0],
  ['an earlier version, elsewhere', { process: { ...us.process, bootId: 'other' }, machine: null }, SILENT_MS],
])('%s', (_, who, patienceMs) => {
  expect(patienceWith(who, here)).toBe(patienceMs);
});

const others: [string, Partial<Machine>, number][] = [
  ['a gateway with the same host name', { id: 'other', bootId: 'other' }, 300],
  ['a clone with the same machine id', { bootId: 'other' }, here.id === '' ? 300 : 60],
  ['a container of the same boot and host name', { pidNamespace: '1' }, 60],
];

test.each(others)('%s keeps its node as long as it shows itself, and loses it a while after', async (_, machine, seconds) => {
  const theirs = linksOn(machine, 'run-2');
  await theirs.place(MAC, 'fit07');
  const ours = linksOn({}, 'run-1');
  silent(RECORD, seconds - 10);
  await expect(ours.claim(MAC, 'fit07')).rejects.toMatchObject({ code: 'node-busy' });
  expect(await ours.sweep()).toEqual([]);
  expect(await findLeftovers(folder, 'pxefrisbee', systemHost)).toEqual({ dead: [], foreign: [] });
  expect(await ours.holder(MAC)).toMatchObject({ run: 'run-2' });
  silent(RECORD, seconds + 10);
  await theirs.beat();
  await expect(ours.claim(MAC, 'fit07')).rejects.toMatchObject({ code: 'node-busy' });
  silent(RECORD, seconds + 10);
  expect(await findLeftovers(folder, 'pxefrisbee', systemHost)).toMatchObject({ dead: [expect.stringContaining('fit07')] });
  await linksOn({}, 'run-3').claim(MAC, 'fit07'); // asks for the time anew
  await expect(theirs.check(MAC, 'fit07')).rejects.toMatchObject({ code: 'lock-lost' });
});

test.each(others)('unfinished files of %s are left alone as long', async (_, machine, seconds) => {
  const name = temporaryName(ourselves(hostOn(machine)), 'abc');
  symlinkSync('x', join(folder, name));
  expect(await linksOn({}, 'run-1').sweep()).toEqual([]);
  expect(await findLeftovers(folder, 'pxefrisbee', systemHost)).toEqual({ dead: [], foreign: [] });
  expect(readdirSync(folder)).toEqual([name]);
  rmSync(join(folder, name));
  const record = linksOn(machine, 'run-2');
  await record.claim(MAC, 'fit07');
  silent(RECORD, seconds + 10);
  expect(await linksOn({}, 'run-1').sweep()).toHaveLength(1);
  expect(readdirSync(folder)).toEqual([]);
});

test('an unfinished file that names a dead process of ours is taken away, in the form of earlier versions too', async () => {
  const name = temporaryName({ process: dead, machine: gone }, 'abc');
  const older = `.imaging-tmp.${dead.pid}.1.${dead.bootId}.abc`;
  symlinkSync('x', join(folder, name));
  symlinkSync('x', join(folder, older));
  expect((await linksOn({}, 'run-1').sweep()).sort()).toEqual([`unfinished file ${older}`, `unfinished file ${name}`].sort());
  expect(readdirSync(folder)).toEqual([]);
});
