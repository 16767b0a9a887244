import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { TelnetSession as Telnet } from '../../../src/telnet/session.js';
import type { Program } from '../../../src/testbed/program.js';
import { MOUNT_POINT, ROOT_PARTITION } from '../../../src/testbed/ramdisk.js';
import { findDiskFile } from '../../../src/testbed/stamp-place.js';
import { assignments, stampRoot, type StampResult } from '../../../src/workflows/steps/stamp-root.js';
import { ramdisk, shellsHere } from '../../helpers/ramdisk.js';

const BASE = /^\d{4}-\d\d-\d\d@\d\d:\d\d - node none - image demo - by imaging$/;
/** Bytes that a shell, printf or a terminal could make something of. */
const LINE = `2026-11-21@01:16 - node fit01 - image it's "mine" \\n \\0101 %s $(id) \`id\` !! ~ * ?  two  blanks - by ann - from demo - ${'ünï 値 😀 '.repeat(60)}; rm -rf / #`;

const place = { rootPartition: ROOT_PARTITION, mountPoint: MOUNT_POINT };
const stamp = (telnet: Telnet, lineFor: (base: string | null) => string, at = place): Promise<StampResult> =>
  stampRoot(telnet, { node: 'fit01', place: at, lineFor, signal: new AbortController().signal, silenceTimeoutMs: 10_000 });
const linesOn = async (diskPath: string): Promise<string[]> =>
  (await findDiskFile(diskPath, 'etc/imaging-image'))?.content.toString().trimEnd().split('\n') ?? [];

describe.each(shellsHere)('in a shell of %s', (...candidate) => {
  test('adds a line of any text behind those that are there, and tells the last of them', async () => {
    const { telnet, diskPath } = await ramdisk(candidate);
    const first = await stamp(telnet, () => LINE);
    expect(first).toEqual({ base: expect.stringMatching(BASE) as unknown, line: LINE, problem: null });
    expect(await linesOn(diskPath)).toEqual([expect.stringMatching(BASE), LINE]);
    const second = await stamp(telnet, (base) => `2026-11-22@01:16 - node fit01 - image next - by ann - after ${base?.length}`);
    expect(second.base).toBe(LINE);
    expect(await linesOn(diskPath)).toEqual([
      expect.stringMatching(BASE),
      LINE,
      `2026-11-22@01:16 - node fit01 - image next - by ann - after ${LINE.length}`,
    ]);
  });

  test('tells what the node said when its root cannot be mounted', async () => {
    const { telnet, diskPath } = await ramdisk(candidate);
    const result = await stamp(telnet, () => LINE, { ...place, rootPartition: '/dev/sda5' });
    expect(result).toEqual({
      base: null,
      line: null,
      problem: `/dev/sda5 could not be mounted: mount: this node has ${ROOT_PARTITION} to mount, on ${MOUNT_POINT} or a folder of your own`,
    });
    expect((await telnet.run('true', { signal: new AbortController().signal })).status).toBe(0);
    expect(await linesOn(diskPath)).toHaveLength(1);
  });
});

const [first] = shellsHere;
test.skipIf(!first)('fails when the root stays mounted, and says how to do without', async () => {
  const busy: Program = async (_args, { stderr }) => {
    stderr.write('umount: target is busy\n');
    return 1;
  };
  const { telnet } = await ramdisk(first ?? ['sh', []], { umount: busy });
  await expect(stamp(telnet, () => LINE)).rejects.toThrow(
    expect.objectContaining({
      code: 'root-still-mounted',
      message: expect.stringContaining('target is busy') as unknown,
      hint: expect.stringContaining('root_partition') as unknown,
    }),
  );
});

test.skipIf(!first)('unmounts when the line could not be made', async () => {
  const { telnet, shown } = await ramdisk(first ?? ['sh', []]);
  await expect(
    stamp(telnet, () => {
      throw new Error('a defect');
    }),
  ).rejects.toThrow('a defect');
  expect(shown()).toMatch(/umount .*STATUS_\w+=0/s);
});

test.skipIf(!first)('tells that a folder is missing where the stamp goes', async () => {
  const hollow: Program = async () => 0; // mounts nothing, as a partition without etc
  const { telnet } = await ramdisk(first ?? ['sh', []], { mount: hollow, umount: hollow });
  expect(await stamp(telnet, () => LINE)).toMatchObject({
    base: null,
    line: null,
    problem: expect.stringMatching(/^etc\/imaging-image could not be written: .*(No such file|nonexistent|cannot create)/i) as unknown,
  });
});

test('types printable ASCII only, in lines a shell takes, whatever the text', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 2000 }), (text) => {
      const commands = assignments(text);
      for (const command of commands) {
        expect(command).toMatch(/^imaging_line=("\$imaging_line")?'[ -&(-[\]-~\\0-7]*'$/);
        expect(command.length).toBeLessThan(900);
      }
      const typed = commands.map((command) => /'(.*)'$/.exec(command)?.[1] ?? '').join('');
      const bytes = typed.replace(/\\0([0-7]{3})/g, (_, octal: string) => String.fromCharCode(parseInt(octal, 8)));
      expect(Buffer.from(bytes, 'latin1').toString()).toBe(Buffer.from(text).toString());
    }),
    { numRuns: 15 },
  );
});
