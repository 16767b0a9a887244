import { closeSync, constants, fstatSync, ftruncateSync, openSync, type Stats } from 'node:fs';
import { writeAllSync } from './whole-file.js';

/** A text file that lines are added to: written once per turn of the event loop, however many lines came in it. */
export type LineFile = { append(line: string): void /** Whether lines could not be written. */; isIncomplete(): boolean; close(): void };

export type LineFileOptions = {
  /** What a new file gets before the umask. */
  mode: number;
  /** Nobody else adds lines: what could be written only in part is taken back. Else the next line begins anew, and readers pass over the torn one. */
  alone: boolean;
  /** Only a file of this user is written to: anybody else's may be taken away or changed at any time. Absent: anybody's. */
  uid?: number;
  /** Told once when lines cannot be written. */
  onError: (error: unknown) => void;
};

/**
 * Opens (or creates) a regular file for appending, never through a link: in a folder that others may write to, a link would
 * choose where we write, and so would a hard link. Throws the system's error, or one that says what is wrong with the file.
 */
export function openLineFile(path: string, { mode, alone, uid, onError }: LineFileOptions): LineFile {
  const { O_WRONLY, O_APPEND, O_CREAT, O_NOFOLLOW, O_NONBLOCK } = constants;
  const fd = openSync(path, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK, mode);
  const problem = problemOf(fstatSync(fd), uid);
  if (problem !== null) {
    closeSync(fd);
    throw new Error(`${path} ${problem}`);
  }
  let waiting: string[] = [];
  let isIncomplete = false;
  let isTorn = false;
  const flush = (): void => {
    if (waiting.length === 0) return;
    const text = `${isTorn ? '\n' : ''}${waiting.join('')}`;
    waiting = [];
    const before = alone ? fstatSync(fd).size : 0;
    try {
      writeAllSync(fd, Buffer.from(text));
      isTorn = false;
    } catch (error) {
      if (alone) ftruncateSync(fd, before);
      else isTorn = true;
      if (!isIncomplete) onError(error); // a full disk must not end the run
      isIncomplete = true;
    }
  };
  return {
    append: (line) => {
      if (waiting.push(`${line}\n`) === 1) setImmediate(flush);
    },
    isIncomplete: () => isIncomplete,
    close: () => {
      flush();
      closeSync(fd);
    },
  };
}

function problemOf(stats: Stats, uid: number | undefined): string | null {
  if (!stats.isFile()) return 'is not a regular file';
  if (stats.nlink > 1) return 'has another name as well (a hard link)';
  return uid === undefined || stats.uid === uid ? null : `belongs to user ${stats.uid}`;
}
