import { execFileSync, spawnSync } from 'node:child_process';
import { closeSync, openSync, readdirSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, onTestFinished, test } from 'vitest';
import { loadLibrary } from '../../src/native/library.js';
import { type DeviceEvent, parseUevent } from '../../src/native/uevent.js';
import { uevents } from '../../src/native/uevents.js';
import { watchBlockDevices } from '../../src/native/watch-devices.js';
import { temporaryFolder } from '../helpers/frisbee.js';
import { hasLoop } from '../helpers/loop.js';
import { inBothModes } from './modes.js';

const message = (...lines: string[]): Buffer => Buffer.from(lines.map((line) => `${line}\0`).join(''));
const ADD = [
  'add@/devices/pci0000:00/0000:00:14.0/usb1/1-2/1-2:1.0/host6/target6:0:0/6:0:0:0/block/sdb/sdb1',
  'ACTION=add',
  'DEVPATH=/devices/pci0000:00/0000:00:14.0/usb1/1-2/1-2:1.0/host6/target6:0:0/6:0:0:0/block/sdb/sdb1',
  'SUBSYSTEM=block',
  'MAJOR=8',
  'MINOR=17',
  'DEVNAME=sdb1',
  'DEVTYPE=partition',
  'PARTNAME=EFI=System',
  'SEQNUM=4242',
];

describe('a message of the kernel', () => {
  test('is read', () => {
    const event = parseUevent(message(...ADD))!;
    expect(event).toMatchObject({ action: 'add', subsystem: 'block', name: 'sdb1', path: ADD[2]!.slice(8) });
    expect(event.properties.get('PARTNAME')).toBe('EFI=System');
    expect(event.properties.size).toBe(9);
    expect(parseUevent(message('bind@/devices/x', 'ACTION=bind', 'DEVPATH=/devices/x', 'SUBSYSTEM=usb'))).toMatchObject({ name: null });
  });

  test.each([
    ['of udev', Buffer.concat([Buffer.from('libudev\0\xfe\xed\xca\xfe', 'latin1'), message(...ADD.slice(1))])],
    ['without what happened', message(ADD[0]!, ...ADD.slice(2))],
    ['of another device than its heading says', message('add@/devices/other', ...ADD.slice(1))],
    ['empty', Buffer.alloc(0)],
  ])('one that is none: %s', (_, bytes) => expect(parseUevent(bytes)).toBeNull());

  test('is none of anything that a program could make it of, cut anywhere', () => {
    for (let end = 0; end < message(...ADD).length; end++) expect(() => parseUevent(message(...ADD).subarray(0, end))).not.toThrow();
    fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => parseUevent(bytes) === null));
  });
});

const why = hasLoop ? null : 'needs root and loop devices';

/** Watches until the test ends; `next` finds the next event of a device. */
async function watching() {
  const controller = new AbortController();
  onTestFinished(() => controller.abort());
  const watch = await watchBlockDevices({ signal: controller.signal, lookMs: 20 });
  const iterator = watch.events[Symbol.asyncIterator]();
  const next = async (name: string): Promise<DeviceEvent> => {
    for (;;) {
      const { value, done } = await iterator.next();
      if (done === true) throw new Error(`it ended without a word on ${name}`);
      if (value.name === name) return value;
    }
  };
  return { watch, next, iterator, stop: () => controller.abort() };
}

await inBothModes(uevents, why, (isOn) => {
  test('a loop device that gets a file, and loses it, has changed', async () => {
    const { watch, next } = await watching();
    expect(watch.how).toBe(isOn ? 'uevents' : 'looking');
    const file = join(temporaryFolder(), 'backing');
    writeFileSync(file, Buffer.alloc(1 << 20));
    const device = execFileSync('losetup', ['-f', '--show', file], { encoding: 'utf8' }).trim();
    onTestFinished(() => void spawnSync('losetup', ['-d', device])); // if the test has not
    const event = await next(basename(device));
    expect(event).toMatchObject({ action: 'change', subsystem: 'block', path: `/devices/virtual/block/${basename(device)}` });
    execFileSync('losetup', ['-d', device]);
    expect(await next(basename(device))).toMatchObject({ action: 'change' });
  });

  test('one that comes, and goes', async () => {
    const library = await loadLibrary();
    const ioctl = library.func('int ioctl(int, unsigned long, int64_t)');
    const control = openSync('/dev/loop-control', 'r+');
    onTestFinished(() => closeSync(control));
    const number = 200 + (process.pid % 100);
    const { next } = await watching();
    expect(Number(ioctl(control, 0x4c80, number))).toBe(number); // LOOP_CTL_ADD
    expect(await next(`loop${number}`)).toMatchObject({ action: 'add' });
    expect(Number(ioctl(control, 0x4c81, number))).toBeGreaterThanOrEqual(0); // LOOP_CTL_REMOVE
    expect(await next(`loop${number}`)).toMatchObject({ action: 'remove' });
  });

  test('ends with its signal, and leaves no descriptor behind', async () => {
    const before = readdirSync('/proc/self/fd').length;
    const { iterator, stop } = await watching();
    const waiting = iterator.next();
    stop();
    expect((await waiting).done).toBe(true);
    expect(readdirSync('/proc/self/fd')).toHaveLength(before);
  });
});

describe.skipIf(why !== null || (await uevents.whyOff()) !== null)('the kernel', () => {
  const poke = (times: number): void => {
    for (let i = 0; i < times; i++) writeFileSync('/sys/class/block/loop0/uevent', 'change');
  };

  test('tells of every change', async () => {
    const { next } = await watching();
    poke(3);
    const events = [await next('loop0'), await next('loop0'), await next('loop0')];
    expect(events.map(({ action }) => action)).toEqual(['change', 'change', 'change']);
    expect(new Set(events.map(({ properties }) => properties.get('SEQNUM'))).size).toBe(3);
  });

  test('more than it keeps for us is told as lost, and what comes then is told again', async () => {
    const kernel = (await uevents.get())!;
    const got: DeviceEvent[] = [];
    const listening = kernel.listen(
      (event) => got.push(event),
      (error) => expect.unreachable(error.message),
    );
    onTestFinished(() => listening.close());
    poke(6_000);
    await expect.poll(() => got.some(({ action }) => action === 'lost')).toBe(true);
    const before = got.length;
    poke(1);
    await expect.poll(() => got.slice(before).some(({ action, name }) => action === 'change' && name === 'loop0')).toBe(true);
  });
});
