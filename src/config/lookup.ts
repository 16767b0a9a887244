import { dirname } from 'node:path';
import type { Layer } from './layers.js';
import type { IniValues } from './ini-text.js';
import { ForeignKeys } from './foreign-keys.js';
import { nearest } from '../util/nearest.js';
import { droppedKeys, renamedKeys } from './foreign-names.js';
import { allKeys, freeSections, nodeKeys } from './schema.js';

/** A value as written, with where it stands. */
export type Found = {
  value: string;
  /** The file, or null for a default. */
  file: string | null;
  /** Folder of the file; the root for a default. */
  folder: string;
  /** The key as written: `bandwidth` or `bandwidth.faraday`. */
  writtenKey: string;
};

/** All layers on top of each other: the last file that has a key decides on it. */
export class Lookup {
  readonly warnings: string[] = [];
  /** Sections of the form `node SPECS`, in the order of their first appearance. */
  readonly nodeSections = new Set<string>();
  readonly #values = new Map<string, Found>();
  readonly #host: string;

  /** @param host the machine's short name, for `key.<host>` */
  constructor(layers: readonly Layer[], host: string) {
    this.#host = host.toLowerCase();
    for (const layer of layers) this.#add(layer);
  }

  /**
   * What counts for a key on this machine: `key.<host>` when it is set and not empty, in whatever file; else `key`;
   * else null. So a user's plain `bandwidth` does not beat the system's `bandwidth.faraday`.
   */
  find(section: string, key: string): Found | null {
    const special = this.#values.get(`${section}.${key}.${this.#host}`);
    if (special !== undefined && special.value !== '') return special;
    return this.#values.get(`${section}.${key}`) ?? null;
  }

  /** The keys that a section of free keys has, without the host that may follow a dot, in alphabetical order. */
  keysOf(section: string): string[] {
    const keys = [...this.#values.keys()].filter((name) => name.startsWith(`${section}.`)).map((name) => name.split('.')[1] ?? '');
    return [...new Set(keys)].filter((key) => this.find(section, key) !== null).sort();
  }

  #add(layer: Layer): void {
    const { file, values } = layer;
    const secret = layer.readableByAll ? secretIn(values) : undefined;
    if (secret !== undefined) this.warnings.push(`${file} holds ${secret} and everybody may read it: chmod o-r ${file}`);
    const foreign = new ForeignKeys();
    for (const [section, settings] of values) {
      if (/^node\s/.test(section)) {
        this.nodeSections.add(section);
        for (const [writtenKey, value] of settings) this.#addForNodes(file, section, writtenKey, value);
        continue;
      }
      if (!sections.has(section) && !(`${section}.*` in droppedKeys)) {
        this.warnings.push(`${file}: unknown section [${section}]${didYouMean(nearest(section, sections), '[', ']')}`);
        continue;
      }
      for (const [writtenKey, value] of settings) this.#addSetting(file, section, writtenKey, value, values, foreign);
    }
    this.warnings.push(...foreign.warnings(file));
  }

  #addForNodes(file: string, section: string, writtenKey: string, value: string): void {
    const [key = ''] = writtenKey.split('.');
    if (keysForNodes.includes(key)) this.#values.set(`${section}.${writtenKey}`, { value, file, folder: dirname(file), writtenKey });
    else this.warnings.push(`${file}: [${section}] ${writtenKey} cannot be set for single nodes${didYouMean(nearest(key, keysForNodes))}`);
  }

  #addSetting(file: string, section: string, writtenKey: string, value: string, all: IniValues, foreign: ForeignKeys): void {
    const [key = '', ...rest] = writtenKey.split('.');
    const suffix = rest.map((part) => `.${part}`).join('');
    const set = (name: string): unknown => this.#values.set(name + suffix, { value, file, folder: dirname(file), writtenKey });
    const name = `${section}.${key}`;
    const dropped = droppedKeys[`${section}.*`] ?? ownValue(droppedKeys, name);
    const renamed = ownValue(renamedKeys, name);
    if (names.has(name) || Object.hasOwn(freeSections, section)) set(name);
    else if (renamed !== undefined) {
      foreign.rename(`${name}${suffix}`, `${renamed}${suffix}`);
      const [newSection = '', newKey = ''] = renamed.split('.');
      if (all.get(newSection)?.has(newKey + suffix) !== true) set(renamed);
    } else if (dropped !== undefined) foreign.drop(section, writtenKey, `${section}.*` in droppedKeys);
    else this.warnings.push(`${file}: unknown key [${section}] ${writtenKey}${suggestion(section, key)}`);
  }
}

const sections: ReadonlySet<string> = new Set([
  ...allKeys.map((spec) => spec.section),
  ...Object.keys(freeSections),
  ...Object.keys(renamedKeys).map((name) => name.split('.')[0] ?? ''),
]);
const keysForNodes: readonly string[] = nodeKeys.map(({ key }) => key);
const names: ReadonlySet<string> = new Set(allKeys.map((spec) => `${spec.section}.${spec.key}`));
const secrets: ReadonlySet<string> = new Set(allKeys.filter((spec) => spec.secret).map((spec) => `${spec.section}.${spec.key}`));

/** The first secret that a file gives a value to, as it is written there. */
function secretIn(values: IniValues): string | undefined {
  for (const [section, settings] of values) {
    for (const [writtenKey, value] of settings) {
      const name = `${section}.${writtenKey.split('.')[0] ?? ''}`;
      if (value !== '' && secrets.has(ownValue(renamedKeys, name) ?? name)) return `[${section}] ${writtenKey}`;
    }
  }
  return undefined;
}

function suggestion(section: string, key: string): string {
  const elsewhere = allKeys.find((spec) => spec.key === key);
  if (elsewhere) return `: it belongs to section [${elsewhere.section}]`;
  const close = nearest(
    key,
    allKeys.filter((spec) => spec.section === section).map((spec) => spec.key),
  );
  if (close !== null) return didYouMean(close);
  const far = nearest(
    key,
    allKeys.map((spec) => spec.key),
  );
  const spec = allKeys.find((candidate) => candidate.key === far);
  return spec ? didYouMean(`[${spec.section}] ${spec.key}`) : '';
}

function didYouMean(name: string | null, before = '', after = ''): string {
  return name === null ? '' : `: did you mean ${before}${name}${after}?`;
}

/** A table's own entry: a file may hold a key such as `constructor`. */
function ownValue<T>(table: Readonly<Record<string, T>>, name: string): T | undefined {
  return Object.hasOwn(table, name) ? table[name] : undefined;
}
