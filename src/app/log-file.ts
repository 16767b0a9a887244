import { join } from 'node:path';
import { messageOf } from '../util/errors.js';
import { printable } from '../util/text.js';
import type { Host } from '../util/host.js';
import { openLineFile } from '../util/line-file.js';

/** `imaging.log`: in the current folder, else in the home folder; lines with time, run and text. */
export type LogFile = { path: string; write(atMs: number, run: string, text: string): void; close(): void };

export function openLogFile(host: Host, warn: (text: string) => void): LogFile | null {
  let problem = '';
  for (const dir of [() => host.cwd(), () => host.home()]) {
    try {
      const path = join(dir(), 'imaging.log');
      const file = openLineFile(path, { mode: 0o644, alone: false, onError: () => {} }); // the screen and the exit code still tell
      return {
        path,
        write: (atMs, run, text) => file.append(`${new Date(atMs).toISOString()} ${run} ${printable(text)}`),
        close: () => file.close(),
      };
    } catch (error) {
      problem = messageOf(error);
    }
  }
  warn(`no imaging.log: ${problem}`);
  return null;
}
