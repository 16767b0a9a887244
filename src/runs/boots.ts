import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Failure, messageOf, systemCode } from '../util/errors.js';
import type { Host } from '../util/host.js';

/** When each node was last told to boot, kept as `<dir>/nodes/<node>.json`: what lets a wait tell the new system from the old one. */
export type BootRecords = {
  record(node: string, verb: string): Promise<void>;
  /** Milliseconds since 1970, or null when no record is there. */
  last(node: string): Promise<number | null>;
};

export function bootRecords(dir: string, host: Host): BootRecords {
  const folder = join(dir, 'nodes');
  const file = (node: string): string => join(folder, `${node}.json`);
  return {
    record: async (node, verb) => {
      const temporary = `${file(node)}.${host.pid}.tmp`;
      try {
        const text = `${JSON.stringify({ lastBootAt: host.now(), verb, by: host.login() })}\n`;
        await writeFile(temporary, text).catch(async (error: unknown) => {
          if (systemCode(error) !== 'ENOENT') throw error;
          await mkdir(folder, { recursive: true });
          await writeFile(temporary, text);
        });
        await rename(temporary, file(node));
      } catch (error) {
        throw new Failure('no-boot-record', `cannot record in ${folder} that ${node} is told to boot: ${messageOf(error)}`, 'set runs.dir to a folder you may write', { cause: error });
      }
    },
    last: async (node) => {
      try {
        const parsed: unknown = JSON.parse(await readFile(file(node), 'utf8'));
        return typeof parsed === 'object' && parsed !== null && 'lastBootAt' in parsed && typeof parsed.lastBootAt === 'number' ? parsed.lastBootAt : null;
      } catch (error) {
        if (systemCode(error) === 'ENOENT' || error instanceof SyntaxError) return null;
        throw new Failure('no-boot-record', `cannot read ${file(node)}: ${messageOf(error)}`, undefined, { cause: error });
      }
    },
  };
}
