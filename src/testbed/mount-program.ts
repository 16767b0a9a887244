import { mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Program } from './program.js';
import { MOUNT_POINT, ROOT_PARTITION } from './ramdisk.js';
import { findDiskFile } from './stamp-place.js';

/** What of a disk a session sees when it has mounted it: where images say what they are. */
const FILES = ['etc/imaging-image', 'etc/rhubarbe-image'];
const USAGE_STATUS = 1;
const FAILED_STATUS = 32;

/**
 * The ramdisk's `mount` and `umount`, without being root: the few files that matter are copied from the node's disk into the
 * session's folder, and back when they have changed. Only files that are on the disk already can change, as far as the room
 * they have there goes. The shell gives the session's folder as first argument.
 */
export function mountPrograms(diskPath: string): { mount: Program; umount: Program } {
  const mounted = new Map<string, Map<string, Buffer>>();
  return {
    mount: async ([folder = '', ...args], { stderr }) => {
      const words = args.filter((word) => !word.startsWith('-'));
      if (words.length !== 2 || words[0] !== ROOT_PARTITION || words[1] !== MOUNT_POINT) return say(stderr, `mount: this node has ${ROOT_PARTITION} to mount, on ${MOUNT_POINT}`, USAGE_STATUS);
      if (mounted.has(folder)) return say(stderr, `mount: ${ROOT_PARTITION} is mounted already`, FAILED_STATUS);
      if ((await stat(diskPath)).nlink > 1) return say(stderr, `mount: ${ROOT_PARTITION}: several nodes share this disk, so nothing is written to it`, FAILED_STATUS);
      const contents = await copyOut(diskPath, join(folder, 'mnt'));
      if (contents.size === 0) return say(stderr, `mount: mounting ${ROOT_PARTITION} on ${MOUNT_POINT} failed: an emulated node finds no /${FILES[0]} there`, FAILED_STATUS);
      mounted.set(folder, contents);
      return 0;
    },
    umount: async ([folder = '', ...args], { stderr }) => {
      const contents = mounted.get(folder);
      if (args.length !== 1 || (args[0] !== MOUNT_POINT && args[0] !== ROOT_PARTITION)) return say(stderr, `umount: say ${MOUNT_POINT}`, USAGE_STATUS);
      if (!contents) return say(stderr, `umount: ${args[0]}: not mounted`, USAGE_STATUS);
      mounted.delete(folder);
      const problems = await copyBack(diskPath, join(folder, 'mnt'), contents);
      for (const problem of problems) stderr.write(`umount: ${problem}\n`); // as a kernel that runs out of room: told, and unmounted all the same
      return 0;
    },
  };
}

async function copyOut(diskPath: string, root: string): Promise<Map<string, Buffer>> {
  const contents = new Map<string, Buffer>();
  for (const path of FILES) {
    const file = await findDiskFile(diskPath, path);
    if (!file) continue;
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), file.content);
    contents.set(path, file.content);
  }
  return contents;
}

async function copyBack(diskPath: string, root: string, contents: ReadonlyMap<string, Buffer>): Promise<string[]> {
  const problems: string[] = [];
  for (const [path, before] of contents) {
    const after = await readFile(join(root, path)).catch(() => before); // removed: emulated disks forget nothing
    if (after.equals(before)) continue;
    const file = await findDiskFile(diskPath, path);
    if (file && after.byteLength <= file.capacityBytes) await file.write(after);
    else problems.push(`${path}: no room on the disk for ${after.byteLength} bytes: not written`);
  }
  await rm(join(root, 'etc'), { recursive: true, force: true });
  return problems;
}

function say(stderr: NodeJS.WritableStream, text: string, status: number): number {
  stderr.write(`${text}\n`);
  return status;
}
