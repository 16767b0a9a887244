import { lstat, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join, normalize, relative, resolve } from 'node:path';
import { systemHost, type Host } from '../util/host.js';
import { isMountable } from './mount-points.js';
import type { Program } from './program.js';
import { MOUNT_POINT, ROOT_PARTITION, SESSION_ROOT } from './ramdisk.js';
import { findDiskFile, makeDiskFile, MAX_FILE_BYTES } from './stamp-place.js';

/** What of a disk a session sees when it has mounted it: where systems say what they are. */
const FILES = ['etc/imaging-image', 'etc/rhubarbe-image', 'etc/os-release', 'etc/hostname', 'etc/fstab', 'etc/passwd'];
/** More than anybody makes by hand. */
const MAX_FILES = 100;
const USAGE_STATUS = 1;
const FAILED_STATUS = 32;

type Mounted = { point: string; root: string; contents: ReadonlyMap<string, Buffer> };

/**
 * The ramdisk's `mount`, `umount` and `mkdir`, without being root: the few files that matter are copied from the node's disk
 * into the session's folder, and what is new or has changed there is put on the disk by `umount`. The shell gives the
 * session's folder as first argument; folders are made in it, whatever path they have.
 */
export function mountPrograms(diskPath: string, host: Host = systemHost): { mount: Program; umount: Program; mkdir: Program } {
  const mounted = new Map<string, Mounted>();
  return {
    mount: async ([folder = '', ...args], { stderr }) => {
      const [device, word, more] = operands(args, ['-t', '-o']);
      const point = shownPath(word ?? '');
      if (device !== ROOT_PARTITION || !isMountable(point) || more !== undefined)
        return say(stderr, `mount: this node has ${ROOT_PARTITION} to mount, on ${MOUNT_POINT} or a folder of your own`, USAGE_STATUS);
      if (mounted.has(folder)) return say(stderr, `mount: ${ROOT_PARTITION} is mounted already`, FAILED_STATUS);
      const root = join(folder, point);
      if (!(await isFolder(root)) && !(await isFolder(point)))
        return say(stderr, `mount: mounting ${ROOT_PARTITION} on ${point} failed: No such file or directory`, FAILED_STATUS);
      if ((await stat(diskPath)).nlink > 1)
        return say(stderr, `mount: ${ROOT_PARTITION}: several nodes share this disk, so nothing is written to it`, FAILED_STATUS);
      const contents = await copyOut(diskPath, root);
      if (contents.size === 0)
        return say(stderr, `mount: mounting ${ROOT_PARTITION} on ${point} failed: an emulated node finds no system there`, FAILED_STATUS);
      mounted.set(folder, { point, root, contents });
      return 0;
    },
    umount: async ([folder = '', ...args], { stderr }) => {
      const [word = '', more] = operands(args, []);
      const mount = mounted.get(folder);
      if (word === '' || more !== undefined) return say(stderr, `umount: say ${mount?.point ?? MOUNT_POINT}`, USAGE_STATUS);
      if (!mount || (shownPath(word) !== mount.point && word !== ROOT_PARTITION))
        return say(stderr, `umount: ${shownPath(word)}: not mounted`, USAGE_STATUS);
      mounted.delete(folder);
      const problems = await copyBack(host, diskPath, mount);
      for (const problem of problems) stderr.write(`umount: ${problem}\n`); // as a kernel that runs out of room: told, and unmounted all the same
      return 0;
    },
    mkdir: async ([folder = '', ...args], { stderr }) => {
      const words = operands(args, ['-m']);
      if (words.length === 0) return say(stderr, 'mkdir: say which folder', USAGE_STATUS);
      const wholePath = args.some((arg) => /^-\w*p/.test(arg) || arg === '--parents');
      for (const word of words) {
        const path = join(folder, normalize(resolve('/', shownPath(word))));
        const problem = await mkdir(path, { recursive: wholePath }).then(
          () => null,
          (error: NodeJS.ErrnoException) => error.code ?? 'failed',
        );
        if (problem !== null)
          return say(
            stderr,
            `mkdir: can't create directory '${word}': ${problem === 'EEXIST' ? 'File exists' : 'No such file or directory'}`,
            USAGE_STATUS,
          );
      }
      return 0;
    },
  };
}

/** The words that are no options, nor values of those that have one. */
function operands(args: readonly string[], valued: readonly string[]): string[] {
  return args.filter((arg, index) => !arg.startsWith('-') && !valued.includes(args[index - 1] ?? ''));
}

/** A path as the session typed it, without a slash at the end. */
function shownPath(path: string): string {
  const own = path.startsWith(`${SESSION_ROOT}/`) ? path.slice(SESSION_ROOT.length) : path;
  return own.replace(/(?<=.)\/+$/, '');
}

async function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (stats) => stats.isDirectory(),
    () => false,
  );
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

/** Puts what is new or has changed on the disk. What was removed stays there: emulated disks forget nothing. */
async function copyBack(host: Host, diskPath: string, { root, contents }: Mounted): Promise<string[]> {
  const problems: string[] = [];
  const paths = await filesIn(root);
  if (paths.length > MAX_FILES) problems.push(`only ${MAX_FILES} of ${paths.length} files are written`);
  for (const path of paths.slice(0, MAX_FILES)) {
    const size = (await lstat(join(root, path))).size;
    if (size > MAX_FILE_BYTES) {
      problems.push(`${path}: an emulated disk takes files of ${MAX_FILE_BYTES} bytes at most: not written`);
      continue;
    }
    const after = await readFile(join(root, path));
    if (contents.get(path)?.equals(after) === true) continue;
    const problem = await putOnDisk(host, diskPath, root, path, after);
    if (problem !== null) problems.push(`${path}: ${problem}: not written`);
  }
  for (const name of await readdir(root)) await rm(join(root, name), { recursive: true, force: true });
  return problems;
}

async function putOnDisk(host: Host, diskPath: string, root: string, path: string, content: Buffer): Promise<string | null> {
  const file = await findDiskFile(diskPath, path);
  if (!file || content.byteLength > file.capacityBytes) return makeDiskFile(host, diskPath, root, path, content);
  await file.write(content);
  return null;
}

/** Regular files under a folder, by their paths in it. */
async function filesIn(root: string): Promise<string[]> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(root, join(entry.parentPath, entry.name)))
    .sort();
}

function say(stderr: NodeJS.WritableStream, text: string, status: number): number {
  stderr.write(`${text}\n`);
  return status;
}
