import { randomBytes } from 'node:crypto';
import { lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { ensureFolder } from '../util/folders.js';
import { systemCode } from '../util/errors.js';
import type { Host } from '../util/host.js';
import { isObject } from '../util/json.js';
import { writeWhole } from '../util/whole-file.js';
import { readRecord, type FoundRecord } from './record-file.js';

/** A small file for each node and user, in `<dir>/nodes` of one state folder that is written and others that are read as well. */
export type NodeRecords = {
  /** Throws the system's error. */
  write(node: string, value: object): Promise<void>;
  /** Everybody's, in no particular order (others' may make us careful, never bold); those that are no JSON, or not ours to read, are left out. */
  all(node: string): FoundRecord<Record<string, unknown>>[];
};

type NameList = { path: string; namesOf(node: string): readonly string[] /** There is a name that no list has. */; forget(): void };

type RecordHost = Pick<Host, 'uid' | 'monotonicMs'>;
/** `fit07.1000.image.json`; `fit07.1000-<16 hex digits>.image.json` where somebody else has that name; without the user in records of earlier versions. */
const NAME = /^(.+?)(?:\.\d+(?:-[0-9a-f]{16})?)?(\.image)?\.json$/;
/** How long a folder's list of names is good for: a thousand nodes are asked for in one go. */
const LIST_MS = 1_000;

export function nodeRecords(dir: string, others: readonly string[], kind: '' | '.image', host: RecordHost): NodeRecords {
  const stem = (node: string): string => `${node}.${host.uid()}`;
  const nameOf = (node: string): string => `${stem(node)}${kind}.json`;
  const folder = join(dir, 'nodes');
  const lists = [...new Set([dir, ...others])].map((each) => listNames(join(each, 'nodes'), kind, host));
  return {
    write: async (node, value) => {
      const text = `${JSON.stringify(value)}\n`;
      const write = async (): Promise<void> => {
        const name = freeName(folder, stem(node), `${kind}.json`, host.uid());
        await writeWhole(join(folder, name), text, { mode: 0o644, follow: false });
        if (name !== nameOf(node)) for (const list of lists) list.forget();
      };
      await write().catch(async (error: unknown) => {
        if (systemCode(error) !== 'ENOENT') throw error;
        ensureFolder(folder);
        await write();
      });
    },
    all: (node) =>
      lists.flatMap(({ path, namesOf }) =>
        [...new Set([nameOf(node), ...namesOf(node)])].flatMap((name) => readRecord(join(path, name), isObject) ?? []),
      ),
  };
}

/** The name to write a user's record under. Where somebody else made a file or folder of it first, one that nobody can have foreseen, the same each time. */
function freeName(folder: string, stem: string, ending: string, uid: number): string {
  const whose = (name: string): number | null => {
    const found = lstatSync(join(folder, name), { throwIfNoEntry: false });
    return found === undefined ? null : found.isDirectory() ? -1 : found.uid;
  };
  const owner = whose(`${stem}${ending}`);
  if (owner === null || owner === uid) return `${stem}${ending}`;
  const isAlternate = (name: string): boolean =>
    name.startsWith(`${stem}-`) && /^[0-9a-f]{16}$/.test(name.slice(stem.length + 1, -ending.length)) && name.endsWith(ending);
  return (
    readdirSync(folder).find((name) => isAlternate(name) && whose(name) === uid) ?? `${stem}-${randomBytes(8).toString('hex')}${ending}`
  );
}

function listNames(path: string, kind: string, host: RecordHost): NameList {
  let names = new Map<string, string[]>();
  let readMs = -Infinity;
  const read = (): void => {
    names = new Map();
    for (const name of readdirSync(path)) {
      const [, node, found = ''] = NAME.exec(name) ?? [];
      if (node !== undefined && found === kind) names.set(node, [...(names.get(node) ?? []), name]);
    }
  };
  return {
    path,
    forget: () => (readMs = -Infinity),
    namesOf: (node) => {
      if (host.monotonicMs() - readMs > LIST_MS) {
        readMs = host.monotonicMs();
        try {
          read();
        } catch {
          names = new Map(); // nobody has recorded anything yet, or it is not ours to look at
        }
      }
      return names.get(node) ?? [];
    },
  };
}
