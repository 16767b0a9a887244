import { randomBytes } from 'node:crypto';
import { closeSync, mkdirSync, openSync, rmdirSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { EventSink } from '../events/bus.js';
import { messageOf, systemCode } from '../util/errors.js';
import { ensureFolder } from '../util/folders.js';
import { HeldFolder } from '../util/held-folder.js';
import type { Host } from '../util/host.js';
import { openLineFile } from './line-file.js';
import { writePlan, type RunPlan } from './plan-file.js';
import { writeResult, type RunResult } from './result-file.js';
import { runsFolder } from './store.js';

/** A name for a run that sorts by time and is unique: `20261121-023011-load-3f2a`. */
export function newRunId(command: string, host: Host): string {
  const stamp = new Date(host.now()).toISOString().replace(/[-:]/g, '').replace('T', '-').slice(0, 15);
  const random = Math.floor(host.random() * 0x10000)
    .toString(16)
    .padStart(4, '0');
  return `${stamp}-${command}-${random}`;
}

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

/**
 * Makes a run's folder, ours alone to write, and holds it. One of ours that is there already, from the command that sends this
 * one into the background, will do. Throws the system's error, or one that says whose the folder is.
 */
export function makeRunFolder(path: string): HeldFolder {
  ensureFolder(join(path, '..'));
  try {
    mkdirSync(path, 0o750);
  } catch (error) {
    if (systemCode(error) !== 'EEXIST') throw error;
  }
  const folder = HeldFolder.open(path, { follow: false });
  const { uid, mode } = folder.stats();
  if (uid === (process.geteuid?.() ?? uid) && (mode & 0o022) === 0) return folder;
  folder.close();
  throw new Error(`${path} belongs to user ${uid}, or others may write it`);
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
