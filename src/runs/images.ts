import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Failure, messageOf, systemCode } from '../util/errors.js';
import { ensureFolder } from '../util/folders.js';
import type { Host } from '../util/host.js';
import type { BootRecords } from './boots.js';

/** What was last loaded onto a node, or is being loaded. */
export type ImageRecord = {
  /** `writing`: its disk may hold anything until the same run has said `written`. */
  state: 'writing' | 'written';
  /** The image's name, and its file on the gateway. */
  name: string;
  path: string;
  /** `sha256:` and the SHA-256 of the image file in hex; null when it is not known. */
  digest: string | null;
  run: string;
  by: string;
  /** When the record was made, milliseconds since 1970: for `written`, when the node was done and had been reset into its disk. */
  at: number;
  /** How much of it was read back. */
  verify: 'none' | 'sample' | 'full';
  /** Whether the node was booted into it; else it was left in the PXE system. */
  booted: boolean;
  /** The last line of the image's own stamp, or null when it has none that could be read. */
  stamp: string | null;
};

/** What was last loaded onto each node, kept as `<dir>/nodes/<node>.image.json`. */
export type ImageRecords = {
  /** Rejects with a Failure `no-image-record`. */
  record(node: string, record: ImageRecord): Promise<void>;
  /** The newest that any of the folders has; null when none is there. */
  last(node: string): Promise<ImageRecord | null>;
};

/** `dir` is written; `others` are read as well, such as the system's own folder, where root's loads are recorded. */
export function imageRecords(dir: string, others: readonly string[], host: Pick<Host, 'pid'>): ImageRecords {
  const folder = join(dir, 'nodes');
  return {
    record: async (node, record) => {
      const temporary = join(folder, `${node}.image.json.${host.pid}.tmp`);
      const text = `${JSON.stringify(record)}\n`;
      try {
        await writeFile(temporary, text).catch(async (error: unknown) => {
          if (systemCode(error) !== 'ENOENT') throw error;
          ensureFolder(folder);
          await writeFile(temporary, text);
        });
        await rename(temporary, join(folder, `${node}.image.json`));
      } catch (error) {
        throw new Failure('no-image-record', `cannot record in ${folder} what is loaded onto ${node}: ${messageOf(error)}`, 'set runs.dir to a folder you may write', { cause: error });
      }
    },
    last: async (node) => {
      const found = await Promise.all([dir, ...others].map((each) => readRecord(join(each, 'nodes', `${node}.image.json`))));
      return found.reduce((newest, record) => (newest === null || (record !== null && record.at > newest.at) ? record : newest), null);
    },
  };
}

/** An image that was read back from a node's disk after it was written. */
export type VerifiedImage = {
  digest: string;
  verifiedAt: number;
  verify: 'sample' | 'full';
  /**
   * No reset and no power-off has been sent since (by whoever records where we read), so the system that runs is the one
   * that the load booted. What that system has written to its disk meanwhile, nobody here knows.
   */
  cleanSince: boolean;
};

/** What a node's disk is known to hold, or null: never loaded, being loaded, a load that did not end well, or not read back. */
export async function verifiedImage(node: string, images: Pick<ImageRecords, 'last'>, boots: Pick<BootRecords, 'last'>): Promise<VerifiedImage | null> {
  const [record, lastBootAt] = await Promise.all([images.last(node), boots.last(node)]);
  if (record?.state !== 'written' || record.verify === 'none' || record.digest === null) return null;
  return { digest: record.digest, verifiedAt: record.at, verify: record.verify, cleanSince: lastBootAt === null || lastBootAt <= record.at };
}

/** Null when the file is missing, not ours to read, or garbled. */
async function readRecord(file: string): Promise<ImageRecord | null> {
  try {
    const parsed: unknown = JSON.parse(await readFile(file, 'utf8'));
    return isRecord(parsed) ? parsed : null;
  } catch {
    return null;
  }
}

function isRecord(value: unknown): value is ImageRecord {
  if (typeof value !== 'object' || value === null) return false;
  const field = (name: string): unknown => Object.entries(value).find(([key]) => key === name)?.[1];
  const isText = (name: string): boolean => typeof field(name) === 'string';
  const isTextOrNull = (name: string): boolean => isText(name) || field(name) === null;
  return (
    ['writing', 'written'].includes(String(field('state'))) && ['none', 'sample', 'full'].includes(String(field('verify'))) &&
    ['name', 'path', 'run', 'by'].every(isText) && ['digest', 'stamp'].every(isTextOrNull) &&
    typeof field('at') === 'number' && typeof field('booted') === 'boolean'
  );
}
