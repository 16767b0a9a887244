import { readFileSync } from 'node:fs';
import { lstat, realpath, stat, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';

/** Who we are: our user and the files that say which groups are shared. */
export type Self = { uid: number; groupFile?: string; passwdFile?: string };

type Stats = { uid: number; gid: number; mode: number };

/**
 * Why somebody else than root and us could have written the open file `handle`, or decided which file `path` is;
 * null when nobody could. What a configuration names (programs, folders) is used with our rights, hence the question,
 * for files that are found because of where we stand. Looked at: the owner and the mode of the file, of the link that
 * leads to it, and of the folders that hold them.
 */
export async function whoElseWrote(path: string, handle: FileHandle, self: Self): Promise<string | null> {
  const link = await lstat(path);
  if (link.isSymbolicLink()) {
    if (isOther(link.uid, self)) return `it is a link that belongs to user ${link.uid}`;
    const problem = folderProblem(await stat(dirname(path)), dirname(path), self);
    if (problem !== null) return problem;
  }
  const file = await handle.stat();
  if (isOther(file.uid, self)) return `it belongs to user ${file.uid}`;
  if (file.mode & 0o002) return 'everybody may write it';
  if (file.mode & 0o020 && isShared(file, self)) return `group ${file.gid} may write it`;
  const folder = dirname(await realpath(path));
  return folderProblem(await stat(folder), folder, self);
}

function folderProblem(folder: Stats, path: string, self: Self): string | null {
  if (isOther(folder.uid, self)) return `its folder ${path} belongs to user ${folder.uid}`;
  if (folder.mode & 0o1000) return null; // sticky: only owners move things, and the owners were looked at
  if (folder.mode & 0o002) return `everybody may write its folder ${path}`;
  if (folder.mode & 0o020 && isShared(folder, self)) return `group ${folder.gid} may write its folder ${path}`;
  return null;
}

function isOther(uid: number, self: Self): boolean {
  return uid !== 0 && uid !== self.uid;
}

/**
 * Whether a group may have members besides us. Distributions that give every user a group of the same name also make
 * their files writable by it (umask 002), which gives nobody anything. A group that /etc does not know is shared, and
 * so is every group in root's eyes.
 */
function isShared({ gid }: Stats, { uid, groupFile = '/etc/group', passwdFile = '/etc/passwd' }: Self): boolean {
  if (uid === 0) return true;
  try {
    const users = rows(passwdFile);
    const us = users.find((user) => Number(user[2]) === uid)?.[0];
    const group = rows(groupFile).find((row) => Number(row[2]) === gid);
    if (us === undefined || group?.[0] !== us) return true;
    const members = [...(group[3] ?? '').split(','), ...users.filter((user) => Number(user[3]) === gid).map((user) => user[0])];
    return members.some((member) => member !== '' && member !== us);
  } catch {
    return true;
  }
}

function rows(file: string): string[][] {
  return readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line.includes(':'))
    .map((line) => line.split(':'));
}
