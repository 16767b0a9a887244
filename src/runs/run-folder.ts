import { closeSync, mkdirSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { EventSink } from '../events/bus.js';
import { messageOf } from '../util/errors.js';
import type { Host } from '../util/host.js';

/** A name for a run that sorts by time and is unique: `20261121-023011-load-3f2a`. */
export function newRunId(command: string, host: Host): string {
  const stamp = new Date(host.now()).toISOString().replace(/[-:]/g, '').replace('T', '-').slice(0, 15);
  const random = Math.floor(host.random() * 0x10000).toString(16).padStart(4, '0');
  return `${stamp}-${command}-${random}`;
}

/** The folder of one run: its events as JSON lines, and a file with the raw telnet output of each node. */
export type RunFolder = { path: string; journal: EventSink; transcript(node: string): (bytes: Uint8Array) => void; close(): void };

/** Makes `<dir>/runs/<run>`; returns null and says why when that cannot be written. */
export function openRunFolder(dir: string, run: string, warn: (text: string) => void): RunFolder | null {
  const path = join(dir, 'runs', run);
  const files = new Map<string, number>();
  const append = (name: string, data: Uint8Array | string): void => {
    try {
      let fd = files.get(name);
      if (fd === undefined) files.set(name, (fd = openSync(join(path, name), 'a', 0o640)));
      if (typeof data === 'string') writeSync(fd, data);
      else writeSync(fd, data);
    } catch (error) {
      if (!files.has('!')) warn(`logs of this run are incomplete: ${messageOf(error)}`);
      files.set('!', -1); // a full disk must not end the run, and is told once
    }
  };
  try {
    mkdirSync(path, { recursive: true, mode: 0o750 });
  } catch (error) {
    warn(`no logs of this run are kept: ${messageOf(error)}`);
    return null;
  }
  return {
    path,
    journal: (event) => append('events.jsonl', `${JSON.stringify(event)}\n`),
    transcript: (node) => (bytes) => append(`${node}.log`, bytes),
    close: () => {
      for (const fd of files.values()) if (fd >= 0) closeSync(fd);
      files.clear();
    },
  };
}
