import { closeSync, constants, fstatSync, openSync, writeSync } from 'node:fs';

/** A text file that lines are added to: written once per turn of the event loop, however many lines came in it. */
export type LineFile = { append(line: string): void; close(): void };

/**
 * Opens (or creates) a regular file for appending, never through a link: in a folder that others may write to, a link would
 * choose where we write. Throws the system's error. `onError` is told once when lines cannot be written.
 */
export function openLineFile(path: string, mode: number, onError: (error: unknown) => void): LineFile {
  const { O_WRONLY, O_APPEND, O_CREAT, O_NOFOLLOW, O_NONBLOCK } = constants;
  const fd = openSync(path, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK, mode);
  if (!fstatSync(fd).isFile()) {
    closeSync(fd);
    throw new Error(`${path} is not a regular file`);
  }
  let waiting: string[] = [];
  let told = false;
  const flush = (): void => {
    if (waiting.length === 0) return;
    const text = waiting.join('');
    waiting = [];
    try {
      writeSync(fd, text);
    } catch (error) {
      if (!told) onError(error); // a full disk must not end the run
      told = true;
    }
  };
  return {
    append: (line) => {
      if (waiting.push(`${line}\n`) === 1) setImmediate(flush);
    },
    close: () => {
      flush();
      closeSync(fd);
    },
  };
}
