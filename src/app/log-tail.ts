import { closeSync, fstatSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { EscapeStripper, LineSplitter } from '../telnet/terminal-text.js';
import { openRegular } from '../util/owned-file.js';
import { printable } from '../util/text.js';

const TAIL_BYTES = 64 * 1024;

/** The last `count` lines of what a node has said in a run, without what controls terminals; none when there is no log. */
export function logTail(runPath: string, node: string, count: number): string[] {
  const text = endOfFile(join(runPath, `${node}.log`));
  const lines: string[] = [];
  const splitter = new LineSplitter((line) => void (line.trim() === '' || lines.push(printable(line))));
  splitter.push(new EscapeStripper().strip(text));
  splitter.flush();
  return count > 0 ? lines.slice(-count) : [];
}

function endOfFile(path: string): string {
  try {
    const fd = openRegular(path);
    try {
      const bytes = Buffer.alloc(TAIL_BYTES);
      const length = readSync(fd, bytes, 0, TAIL_BYTES, Math.max(0, fstatSync(fd).size - TAIL_BYTES));
      return bytes.toString('utf8', 0, length);
    } finally {
      closeSync(fd);
    }
  } catch {
    return ''; // it has not said anything yet, or no logs are kept
  }
}
