import { randomBytes } from 'node:crypto';
import { lstatSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf, systemCode } from '../util/errors.js';
import { ensureFolder } from '../util/folders.js';
import { isAlive, isProcessIdentity, processIdentity, type Host, type ProcessIdentity } from '../util/host.js';
import { isObject, isText } from '../util/json.js';
import { writeWhole } from '../util/whole-file.js';
import { readRecord, type FoundRecord } from './record-file.js';

/** For one child: `env` goes into its environment, by which it is known again whatever program it becomes. */
export type NewChild = {
  env: Readonly<Record<string, string>> /** Returns what forgets it; rejects with the system's error. */;
  remember(pid: number): Promise<() => Promise<void>>;
};

/**
 * Programs we started that would outlive us if we were killed: one record each in `<dir>/children`, naming the child and
 * us. The next command ends the children whose parent is gone.
 */
export type ChildRecords = {
  prepare(): NewChild;
  sweep(): Promise<{ ended: number[]; problems: string[] }>;
  /** The children a sweep would end. */
  orphans(): Promise<number[]>;
};

type ChildRecord = { child: ProcessIdentity; parent: ProcessIdentity; mark: string };

const VARIABLE = 'IMAGING_CHILD';

export function childRecords(dir: string, host: Pick<Host, 'pid'>): ChildRecords {
  const folder = join(dir, 'children');
  return {
    prepare: () => {
      const mark = randomBytes(12).toString('hex');
      return {
        env: { [VARIABLE]: mark },
        remember: async (pid) => {
          const [child, parent] = [processIdentity(pid), processIdentity(host.pid)];
          if (!child || !parent) return async () => {};
          const file = join(folder, `${pid}-${mark.slice(0, 8)}.json`); // nobody can have taken the name
          ensureFolder(folder);
          await writeWhole(file, JSON.stringify({ child, parent, mark } satisfies ChildRecord), { mode: 0o640, follow: false });
          return async () => rmSync(file, { force: true });
        },
      };
    },
    sweep: async () => {
      const ended: number[] = [];
      const problems: string[] = [];
      for (const { path, record } of recordsIn(folder)) {
        if (record && isAlive(record.value.parent)) continue;
        try {
          if (record && isOurs(record)) {
            process.kill(record.value.child.pid, 'SIGKILL');
            ended.push(record.value.child.pid);
          }
          rmSync(path, { force: true });
        } catch (error) {
          if (isOthers(error)) continue; // their own next command ends and removes it
          if (systemCode(error) !== 'ESRCH')
            problems.push(
              `a server program of a killed run could not be ended (pid ${record?.value.child.pid ?? '?'}): ${messageOf(error)}`,
            );
        }
      }
      return { ended, problems };
    },
    orphans: async () =>
      recordsIn(folder).flatMap(({ record }) =>
        record && !isAlive(record.value.parent) && isOurs(record) ? [record.value.child.pid] : [],
      ),
  };
}

function isOthers(error: unknown): boolean {
  return ['EPERM', 'EACCES'].includes(systemCode(error) ?? '');
}

function recordsIn(folder: string): { path: string; record: FoundRecord<ChildRecord> | null }[] {
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch {
    return []; // there has been none yet
  }
  const isFolder = (path: string): boolean => lstatSync(path, { throwIfNoEntry: false })?.isDirectory() === true; // none of ours, and nothing to remove
  return names
    .filter((name) => name.endsWith('.json'))
    .map((name) => join(folder, name))
    .filter((path) => !isFolder(path))
    .map((path) => ({ path, record: readRecord(path, isRecord) }));
}

/**
 * Whether a record names the very process that it was made for: it lives, belongs to whom the record belongs to (so that
 * nobody has root end what they could not end themselves), and has the mark in the environment it was started with.
 */
function isOurs({ value: { child, mark }, uid }: FoundRecord<ChildRecord>): boolean {
  try {
    if (!isAlive(child) || statSync(`/proc/${child.pid}`).uid !== uid) return false;
    const isMarked = readFileSync(`/proc/${child.pid}/environ`, 'latin1').split('\0').includes(`${VARIABLE}=${mark}`);
    return isMarked && isAlive(child); // again: reading may have taken as long as the child wanted, and its number be another's by now
  } catch {
    return false; // gone meanwhile, or not ours to look at
  }
}

function isRecord(value: unknown): value is ChildRecord {
  return isObject(value) && isProcessIdentity(value.child) && isProcessIdentity(value.parent) && isText(value.mark) && value.mark !== '';
}
