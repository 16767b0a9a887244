import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Failure, messageOf, systemCode } from '../util/errors.js';
import { ensureFolder } from '../util/folders.js';
import type { Host } from '../util/host.js';

/** When the system of each node was last ended, kept as `<dir>/nodes/<node>.json`: what lets a wait tell the new system from the old. */
export type BootRecords = {
  /** `atMs`: milliseconds since 1970, from before the verb was sent. */
  record(node: string, verb: string, atMs: number): Promise<void>;
  /** Milliseconds since 1970, the newest that any of the folders has; null when no record is there. */
  last(node: string): Promise<number | null>;
};

/** `dir` is written; `others` are read as well, such as the system's own folder, where root's loads are recorded. */
export function bootRecords(dir: string, others: readonly string[], host: Pick<Host, 'pid' | 'login'>): BootRecords {
  const folder = join(dir, 'nodes');
  return {
    record: async (node, verb, atMs) => {
      const temporary = join(folder, `${node}.json.${host.pid}.tmp`);
      const text = `${JSON.stringify({ lastBootAt: atMs, verb, by: host.login() })}\n`;
      try {
        await writeFile(temporary, text).catch(async (error: unknown) => {
          if (systemCode(error) !== 'ENOENT') throw error;
          ensureFolder(folder);
          await writeFile(temporary, text);
        });
        await rename(temporary, join(folder, `${node}.json`));
      } catch (error) {
        throw new Failure('no-boot-record', `cannot record in ${folder} that the system of ${node} was ended: ${messageOf(error)}`, 'set runs.dir to a folder you may write', { cause: error });
      }
    },
    last: async (node) => {
      const times = await Promise.all([dir, ...others].map((each) => readRecord(join(each, 'nodes', `${node}.json`))));
      return times.reduce((newest, time) => (newest === null || (time !== null && time > newest) ? time : newest), null);
    },
  };
}

/** Null when the file is missing, not ours to read, or garbled. */
async function readRecord(file: string): Promise<number | null> {
  try {
    const parsed: unknown = JSON.parse(await readFile(file, 'utf8'));
    return typeof parsed === 'object' && parsed !== null && 'lastBootAt' in parsed && typeof parsed.lastBootAt === 'number' ? parsed.lastBootAt : null;
  } catch {
    return null;
  }
}
