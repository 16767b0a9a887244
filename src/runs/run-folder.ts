import { closeSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { EventSink } from '../events/bus.js';
import { messageOf } from '../util/errors.js';
import { ensureFolder } from '../util/folders.js';
import type { Host } from '../util/host.js';
import { syncFolder } from './json-file.js';
import { openLineFile } from './line-file.js';
import { writePlan, type RunPlan } from './plan-file.js';
import { runsFolder } from './store.js';

/** A name for a run that sorts by time and is unique: `20261121-023011-load-3f2a`. */
export function newRunId(command: string, host: Host): string {
  const stamp = new Date(host.now()).toISOString().replace(/[-:]/g, '').replace('T', '-').slice(0, 15);
  const random = Math.floor(host.random() * 0x10000).toString(16).padStart(4, '0');
  return `${stamp}-${command}-${random}`;
}

/** The folder of one run: its events as JSON lines, and a file with the raw telnet output of each node. */
export type RunFolder = { path: string; journal: EventSink; transcript(node: string): (bytes: Uint8Array) => void; close(): void };

/** Whatever answers telnet on a node must not fill the gateway's disk. */
const MAX_TRANSCRIPT_BYTES = 16 << 20;

/**
 * Makes `<dir>/runs/<run>`; returns null and says why when that cannot be written. The plan, when there is one, is on disk
 * when this returns.
 */
export function openRunFolder(dir: string, run: string, warn: (text: string) => void, plan: RunPlan | null = null): RunFolder | null {
  const path = join(runsFolder(dir), run);
  let told = false;
  const incomplete = (error: unknown): void => {
    if (!told) warn(`logs of this run are incomplete: ${messageOf(error)}`);
    told = true;
  };
  try {
    ensureFolder(path, 0o750);
    if (plan) writePlan(path, plan);
    if (plan) syncFolder(runsFolder(dir));
    const journal = openLineFile(join(path, 'events.jsonl'), 0o640, incomplete);
    const transcripts = new Map<string, { fd: number; bytes: number }>();
    return {
      path,
      journal: (event) => journal.append(JSON.stringify(event)),
      transcript: (node) => (bytes) => {
        try {
          let file = transcripts.get(node);
          if (!file) transcripts.set(node, (file = { fd: openSync(join(path, `${node}.log`), 'a', 0o640), bytes: 0 }));
          if (file.bytes > MAX_TRANSCRIPT_BYTES) return;
          file.bytes += bytes.byteLength;
          writeSync(file.fd, file.bytes > MAX_TRANSCRIPT_BYTES ? Buffer.from('\n[the rest is not kept]\n') : bytes);
        } catch (error) {
          incomplete(error); // a full disk must not end the run
        }
      },
      close: () => {
        journal.close();
        for (const { fd } of transcripts.values()) closeSync(fd);
        transcripts.clear();
      },
    };
  } catch (error) {
    warn(`no logs of this run are kept: ${messageOf(error)}`);
    return null;
  }
}
