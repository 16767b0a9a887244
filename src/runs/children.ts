import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf, systemCode } from '../util/errors.js';
import { ensureFolder } from '../util/folders.js';
import { isAlive, processIdentity, type Host, type ProcessIdentity } from '../util/host.js';

/**
 * Programs we started that would outlive us if we were killed: one record each in `<dir>/children`, naming the child and
 * us. The next command ends the children whose parent is gone.
 */
export type ChildRecords = {
  remember(pid: number): Promise<() => Promise<void>>;
  sweep(): Promise<{ ended: number[]; problems: string[] }>;
  /** The children a sweep would end. */
  orphans(): Promise<number[]>;
};

type ChildRecord = { child: ProcessIdentity; parent: ProcessIdentity };

export function childRecords(dir: string, host: Host): ChildRecords {
  const folder = join(dir, 'children');
  return {
    remember: async (pid) => {
      const [child, parent] = [processIdentity(pid), processIdentity(host.pid)];
      if (!child || !parent) return async () => {};
      const file = join(folder, `${pid}.json`);
      ensureFolder(folder);
      await writeFile(file, JSON.stringify({ child, parent } satisfies ChildRecord));
      return () => rm(file, { force: true });
    },
    sweep: async () => {
      const ended: number[] = [];
      const problems: string[] = [];
      for (const name of await readdir(folder).catch(() => [])) {
        const record = await readRecord(join(folder, name));
        if (record && isAlive(record.parent)) continue;
        try {
          if (record && isAlive(record.child)) {
            process.kill(record.child.pid, 'SIGKILL');
            ended.push(record.child.pid);
          }
          await rm(join(folder, name), { force: true });
        } catch (error) {
          if (systemCode(error) !== 'ESRCH') problems.push(`a server program of a killed run could not be ended (pid ${record?.child.pid ?? '?'}): ${messageOf(error)}`);
        }
      }
      return { ended, problems };
    },
    orphans: async () => {
      const records = await Promise.all((await readdir(folder).catch(() => [])).map((name) => readRecord(join(folder, name))));
      return records.flatMap((record) => (record && !isAlive(record.parent) && isAlive(record.child) ? [record.child.pid] : []));
    },
  };
}

async function readRecord(file: string): Promise<ChildRecord | null> {
  try {
    const parsed: unknown = JSON.parse(await readFile(file, 'utf8'));
    return isRecord(parsed) ? parsed : null;
  } catch {
    return null; // half written by a killed run
  }
}

function isRecord(value: unknown): value is ChildRecord {
  return typeof value === 'object' && value !== null && 'child' in value && isIdentity(value.child) && 'parent' in value && isIdentity(value.parent);
}

function isIdentity(value: unknown): value is ProcessIdentity {
  return typeof value === 'object' && value !== null && 'pid' in value && typeof value.pid === 'number' && 'startTime' in value && typeof value.startTime === 'string' && 'bootId' in value && typeof value.bootId === 'string';
}
