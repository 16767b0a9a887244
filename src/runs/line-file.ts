import { closeSync, openSync, writeSync } from 'node:fs';

/** A text file that lines are added to: written once per turn of the event loop, however many lines came in it. */
export type LineFile = { append(line: string): void; close(): void };

/** Opens (or creates) a file for appending; throws the system's error. `onError` is told once when lines cannot be written. */
export function openLineFile(path: string, mode: number, onError: (error: unknown) => void): LineFile {
  const fd = openSync(path, 'a', mode);
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
