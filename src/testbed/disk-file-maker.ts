import { once } from 'node:events';
import { dirname } from 'node:path';
import type { Host } from '../util/host.js';

/** What names may be made of: they are words of a command. */
const NAMES = /^[\w+@,-][\w.+@,-]*(\/[\w+@,-][\w.+@,-]*)*$/;

/**
 * Puts the file `path` of the folder `root` (no leading slash) under the same name into the ext file system that begins at
 * byte `offset` of the disk, in place of one of that name, as root's; folders on the way are made. It is e2fsprogs' debugfs
 * that does it, and tells nobody how it went: look for the file afterwards. Returns what could be told beforehand, or null.
 */
export async function makeExtFile(host: Host, diskPath: string, offset: number, root: string, path: string): Promise<string | null> {
  if (!NAMES.test(path)) return 'a name that cannot be made here';
  if (diskPath.includes('?')) return 'a disk whose path has a question mark cannot be opened';
  const env = { ...host.env, PATH: `${host.env.PATH ?? ''}:/usr/sbin:/sbin` };
  const child = host.spawn('debugfs', ['-w', `${diskPath}?offset=${offset}`], { cwd: root, env, stdio: ['pipe', 'ignore', 'ignore'] });
  const closed = once(child, 'close');
  child.stdin?.on('error', () => undefined); // it may end before it has read all
  child.stdin?.end(
    commands(path)
      .map((line) => `${line}\n`)
      .join(''),
  );
  try {
    await closed;
    return null;
  } catch {
    return 'there is no debugfs (e2fsprogs) to make it with';
  }
}

function commands(path: string): string[] {
  const folder = dirname(path);
  const parents = folder === '.' ? [] : folder.split('/').map((_, index, parts) => parts.slice(0, index + 1).join('/'));
  const name = path.slice(folder === '.' ? 0 : folder.length + 1);
  const fields = ['mode 0100644', 'uid 0', 'gid 0'].map((field) => `set_inode_field ${name} ${field}`);
  return [
    ...parents.map((parent) => `mkdir /${parent}`),
    `cd /${folder === '.' ? '' : folder}`,
    `rm ${name}`,
    `write ${path} ${name}`,
    ...fields,
  ];
}
