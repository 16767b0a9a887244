import { closeSync, constants, fstatSync, ftruncateSync, openSync } from 'node:fs';
import { writeAllSync } from '../util/whole-file.js';

/** A text file that lines are added to: written once per turn of the event loop, however many lines came in it. */
export type LineFile = { append(line: string): void; /** Whether lines could not be written. */ isIncomplete(): boolean; close(): void };

export type LineFileOptions = {
  /** What a new file gets before the umask. */
  mode: number;
  /** Nobody else adds lines: what could be written only in part is taken back. Else the next line begins anew, and readers pass over the torn one. */
  alone: boolean;
  /** Told once when lines cannot be written. */
  onError: (error: unknown) => void;
};

/**
 * Opens (or creates) a regular file for appending, never through a link: in a folder that others may write to, a link would
 * choose where we write. Throws the system's error.
 */
export function openLineFile(path: string, { mode, alone, onError }: LineFileOptions): LineFile {
  const { O_WRONLY, O_APPEND, O_CREAT, O_NOFOLLOW, O_NONBLOCK } = constants;
  const fd = openSync(path, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK, mode);
  if (!fstatSync(fd).isFile()) {
    closeSync(fd);
    throw new Error(`${path} is not a regular file`);
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
