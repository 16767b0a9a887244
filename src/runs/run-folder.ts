import { randomBytes } from 'node:crypto';
import { closeSync, openSync, rmdirSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { EventSink } from '../events/bus.js';
import { messageOf } from '../util/errors.js';
import { HeldFolder } from '../util/held-folder.js';
import { openLineFile } from '../util/line-file.js';
import { writePlan, type RunPlan } from './plan-file.js';
import { writeResult, type RunResult } from './result-file.js';
import { makeRunFolder, runsFolder } from './store.js';

/** The folder of one run: its events as JSON lines, and a file with the raw output of each target. */
export type RunFolder = {
  path: string;
  journal: EventSink;
  transcript(target: string): (bytes: Uint8Array) => void;
  /** Closes all, and puts the result beside them when there is one. Throws the system's error when that cannot be written. */
  finish(result: RunResult | null): void;
};

/** Whatever answers telnet on a node must not fill the gateway's disk. */
const MAX_TRANSCRIPT_BYTES = 16 << 20;

/**
 * Makes `<dir>/runs/<run>`; returns null and says why when that cannot be written. The plan, when there is one, is on disk
 * when this returns.
 */
export function openRunFolder(dir: string, run: string, warn: (text: string) => void, plan: RunPlan | null = null): RunFolder | null {
  const path = join(runsFolder(dir), run);
  let folder: HeldFolder | null = null;
  try {
    folder = makeRunFolder(path);
    if (plan) writePlan(folder.at('.'), plan);
    if (plan) syncFolder(runsFolder(dir));
    return openLogs(folder, reserve(folder, plan?.targets.length ?? 0), warn);
  } catch (error) {
    warn(`no logs of this run are kept: ${folder?.plain(messageOf(error)) ?? messageOf(error)}`);
    folder?.close();
    if (folder) discardEmpty(path);
    return null;
  }
}

function discardEmpty(path: string): void {
  try {
    rmdirSync(path);
  } catch {
    // it was never made, or holds what the command said that sent us into the background
  }
}

function openLogs(folder: HeldFolder, release: () => void, warn: (text: string) => void): RunFolder {
  let told = false;
  const incomplete = (error: unknown): void => {
    if (!told) warn(`logs of this run are incomplete: ${folder.plain(messageOf(error))}`);
    told = true;
  };
  const journal = openLineFile(folder.at('events.jsonl'), { mode: 0o640, alone: true, onError: incomplete });
  const transcripts = new Map<string, { fd: number; bytes: number }>();
  return {
    path: folder.path,
    journal: (event) => journal.append(JSON.stringify(event)),
    transcript: (target) => (bytes) => {
      try {
        let file = transcripts.get(target);
        if (!file) transcripts.set(target, (file = { fd: openSync(folder.at(`${target}.log`), 'a', 0o640), bytes: 0 }));
        if (file.bytes > MAX_TRANSCRIPT_BYTES) return;
        file.bytes += bytes.byteLength;
        writeSync(file.fd, file.bytes > MAX_TRANSCRIPT_BYTES ? Buffer.from('\n[the rest is not kept]\n') : bytes);
      } catch (error) {
        incomplete(error); // a full disk must not end the run
      }
    },
    finish: (result) => {
      try {
        journal.close();
        for (const { fd } of transcripts.values()) closeSync(fd);
        transcripts.clear();
        release();
        if (result) writeResult(folder.at('.'), { ...result, journal: journal.isIncomplete() ? 'incomplete' : 'complete' });
      } finally {
        folder.close();
      }
    },
  };
}

/** Bytes of a result: some for the whole, some for each target. */
const RESULT_BYTES = 8192;
const TARGET_BYTES = 600;

/**
 * Keeps room for the result, so that a run whose journal has filled the disk is not taken for one that died; returns what
 * gives it back. Where there is no room now, there may be later.
 */
function reserve(folder: HeldFolder, targets: number): () => void {
  const path = folder.at('.reserve');
  const release = (): void => rmSync(path, { force: true });
  try {
    writeFileSync(path, randomBytes(RESULT_BYTES + targets * TARGET_BYTES), { flag: 'wx', mode: 0o600 }); // random: some file systems store zeros in no space at all
  } catch {
    release();
  }
  return release;
}

/** A name in a folder survives a power cut only once the folder itself is on disk. */
function syncFolder(path: string): void {
  const folder = HeldFolder.open(path);
  try {
    folder.syncNow();
  } finally {
    folder.close();
  }
}
