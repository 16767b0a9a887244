import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { writeImage } from '../../src/ndz/write/writer.js';
import { temporaryFolder } from '../helpers/frisbee.js';
import { client, serving } from '../helpers/frisbee-programs.js';
import { writeGpt, writeMbr } from '../helpers/partition-tables.js';
import { missing, tool } from '../helpers/file-system-tools.js';
import { chunkOf, headerOf } from '../helpers/bytes.js';
import { hasLoop, loopDevice } from '../helpers/loop.js';

const MIB = 1 << 20;

/** A disk of 8 MiB whose bytes tell where they were: partition 1 at 1 MiB, 1 MiB long; partition 2 behind it, 2 MiB long. */
function mbrDisk(): Buffer {
  const disk = Buffer.alloc(8 * MIB, 'what was there before. ');
  disk.fill(0, 0, 512);
  writeMbr(disk, 0, [
    { type: 0x83, start: 2048, count: 2048 },
    { type: 0x82, start: 4096, count: 4096 },
  ]);
  return disk;
}

function gptDisk(): Buffer {
  const disk = Buffer.alloc(8 * MIB, 'what was there before. ');
  disk.fill(0, 0, 34 * 512);
  disk.fill(0, disk.length - 33 * 512);
  writeGpt(disk, [
    { first: 2048, last: 4095 },
    { first: 4096, last: 8191 },
  ]);
  return disk;
}

async function imageOf(content: Buffer): Promise<string> {
  const folder = temporaryFolder();
  writeFileSync(join(folder, 'raw'), content);
  await writeImage(join(folder, 'raw'), join(folder, 'image.ndz'), { version: 3 });
  return join(folder, 'image.ndz');
}

/** Loads `content` with these options into a file or device; everything it said is returned. */
async function load(content: Buffer, options: string, disk: Buffer | string): Promise<{ code: number; text: string; after: Buffer }> {
  const path = typeof disk === 'string' ? disk : join(temporaryFolder(), 'disk');
  if (typeof disk !== 'string') writeFileSync(path, disk);
  const at = await serving(await imageOf(content));
  const { done, stderr } = client(`-q ${options} -i 127.0.3.1 ${at} ${path}`);
  return { code: await done, text: stderr.text, after: readFileSync(path) };
}

/** `disk` with `content` at 1 MiB, cut to 1 MiB. */
function withSlice1(disk: Buffer, content: Buffer): Buffer {
  const wanted = Buffer.from(disk);
  content.copy(wanted, MIB, 0, MIB);
  return wanted;
}

describe('-s', () => {
  test('writes into the partition alone; what is too large for it is cut, with the 2015 program’s warning and exit status', async () => {
    const content = randomBytes(2 * MIB);
    const { code, text, after } = await load(content, '-s 1', mbrDisk());
    expect(after.equals(withSlice1(mbrDisk(), content))).toBe(true);
    expect(code).toBe(0);
    expect(text).toMatch(
      /\nWARNING: image too large for target slice, truncating\nLeft the team [^]*\nWrote 1048576 bytes \(1048576 actual\)\n/,
    );
  });

  test('-z makes zeros up to the end of the partition, and none behind it', async () => {
    const content = randomBytes(4096);
    const { code, text, after } = await load(content, '-z -s 1', mbrDisk());
    expect(code).toBe(0);
    expect(after.equals(withSlice1(mbrDisk(), Buffer.concat([content, Buffer.alloc(MIB - 4096)])))).toBe(true);
    expect(text).toContain('Wrote 1048576 bytes (1048576 actual)');
    expect(text).not.toContain('WARNING');
  });

  test.each([
    ['-s 3', /no partition 3/],
    ['-s 1 -D 0', /type 0x0 /],
    ['-s 1 -D 5', /type 0x5 /],
    ['-s 1 -D 0x8300', /type 0x8300 is no type of an MBR/],
  ])('%s is refused before anything is received', async (options, reason) => {
    const path = join(temporaryFolder(), 'disk');
    writeFileSync(path, mbrDisk());
    const { done, stderr } = client(`${options} -i 127.0.3.1 -m 239.77.0.1 -p 19999 ${path}`);
    expect(await done).toBe(1);
    expect(stderr.text).toMatch(reason);
    expect(readFileSync(path).equals(mbrDisk())).toBe(true);
  });

  test('an image that would have to be adapted to its place is refused', async () => {
    const lilo = chunkOf(headerOf({ version: 3, uuid: null, relocations: [{ type: 3, sector: 0, offsetBytes: 0, sizeBytes: 5 }] }));
    const at = await serving(lilo);
    const path = join(temporaryFolder(), 'disk');
    writeFileSync(path, mbrDisk());
    const { done, stderr } = client(`-s 1 -i 127.0.3.1 ${at} ${path}`);
    expect(await done).toBe(1);
    expect(stderr.text).toContain('LILO');
    expect(readFileSync(path).equals(mbrDisk())).toBe(true);
  });

  test.skipIf(!hasLoop)('on a block device', async () => {
    const content = randomBytes(2 * MIB);
    const device = await loopDevice(mbrDisk());
    const { code, after } = await load(content, '-s 1 -D 7', device);
    const wanted = withSlice1(mbrDisk(), content);
    wanted[450] = 7;
    expect(code).toBe(0);
    expect(after.equals(wanted)).toBe(true);
  });
});

describe('-D', () => {
  test('changes one byte of an MBR, also of a logical partition’s', async () => {
    const disk = mbrDisk();
    writeMbr(disk, 0, [
      { type: 0x83, start: 2048, count: 2048 },
      { type: 0x05, start: 4096, count: 8192 },
    ]);
    disk.fill(0, 4096 * 512, 4097 * 512);
    writeMbr(disk, 4096, [{ type: 0x83, start: 64, count: 2000 }]);
    const content = randomBytes(4096);
    for (const [options, at, typeAt] of [
      ['-s 1 -D 0x82', 2048 * 512, 450],
      ['-s 5 -D 142', 4160 * 512, 4096 * 512 + 450],
    ] as const) {
      const { code, text, after } = await load(content, options, disk);
      const wanted = Buffer.from(disk);
      wanted.set(content, at);
      wanted[typeAt] = Number(options.split(' ')[3]);
      expect(code).toBe(0);
      expect(after.equals(wanted)).toBe(true);
      expect(text).toContain(`\nSet partition ${options[3]} type to 0x00${wanted[typeAt]?.toString(16).toUpperCase()}\n`);
    }
  });

  test('changes both copies of a GPT, by short code or by MBR type; sgdisk agrees', async () => {
    for (const [code, guid] of [
      ['0x8200', '0657fd6d'],
      ['0x83', '0fc63daf'],
      ['61184', 'c12a7328'],
    ] as const) {
      const content = randomBytes(4096);
      const { after, text } = await load(content, `-s 2 -D ${code}`, gptDisk());
      const stored = Buffer.from(guid, 'hex').reverse();
      const copies = [2 * 512, after.length - 33 * 512].map((table) => after.subarray(table + 128, table + 132));
      expect(copies.map((bytes) => bytes.equals(stored))).toEqual([true, true]);
      expect(after.subarray(4096 * 512, 4096 * 512 + 4096).equals(content)).toBe(true);
      expect(text).toContain('Set partition 2 type to 0x');
      if (missing('sgdisk') === null) {
        const path = join(temporaryFolder(), 'disk');
        writeFileSync(path, after);
        expect(tool('sgdisk', ['-v', path])).toContain('No problems found');
        expect(tool('sgdisk', ['-i', '2', path]).toLowerCase()).toContain(`partition guid code: ${guid}`);
      }
    }
  });

  test('a code that no GPT type has is refused before anything is received', async () => {
    const path = join(temporaryFolder(), 'disk');
    writeFileSync(path, gptDisk());
    const { done, stderr } = client(`-s 2 -D 0x41 -i 127.0.3.1 -m 239.77.0.1 -p 19999 ${path}`);
    expect(await done).toBe(1);
    expect(stderr.text).toContain('partition type 0x41 is no short code of a GPT type');
    expect(readFileSync(path).equals(gptDisk())).toBe(true);
  });
});
