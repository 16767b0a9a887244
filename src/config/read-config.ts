import { UserError } from '../util/errors.js';
import type { Host } from '../util/host.js';
import { type Config, readOverride, readSections, type SlotPattern } from './config.js';
import { type LayersHost, readLayers, SYSTEM_FILE } from './layers.js';
import { type Found, Lookup } from './lookup.js';
import { type MulticastSlot, multicastSlots } from './patterns.js';
import { allKeys, freeSections, nodeKeys, sections } from './schema.js';
import type { KeySpec } from './section.js';

/** What of the host the configuration depends on. */
export type ConfigHost = LayersHost & Pick<Host, 'shortHostname'>;

/** One key as `imaging-config` shows it. */
export type Setting = {
  section: string;
  key: string;
  /** As written, without quotes; the default when no file has it; `(hidden)` for a secret. */
  value: string;
  /** The file it comes from, or `default`. */
  source: string;
  /** The key as written there: `bandwidth`, `bandwidth.faraday`. */
  writtenKey: string;
};

export type LoadedConfig = {
  config: Config;
  /** One line each: unknown, renamed and dropped keys, a missing system file. */
  warnings: string[];
  /** Every key of the schema, in its order, then what the sections of free keys hold. */
  describe(): Setting[];
};

/**
 * Reads and checks the configuration of this machine: see `readLayers` for the files, `Lookup` for what counts.
 *
 * @throws UserError `environment` for unreadable, untrusted or unparsable files and for values that are not allowed;
 *   all bad values are listed together, each with file, section, key, value and what is allowed
 */
export async function loadConfig(host: ConfigHost, systemFile = SYSTEM_FILE): Promise<LoadedConfig> {
  const { layers, warnings } = await readLayers(host, systemFile);
  const lookup = new Lookup(layers, host.shortHostname());
  const reader = new Reader(lookup, host.home());
  for (const spec of allKeys) reader.check(spec);
  const overrides = [...lookup.nodeSections].map((section) =>
    readOverride(section.replace(/^node\s+/, ''), (spec) => reader.valueIn(section, spec)),
  );
  reader.throwProblems();
  const free = Object.keys(freeSections).flatMap((section) => lookup.keysOf(section).flatMap((key) => describeFree(lookup, section, key)));
  const values = readSections((spec) => reader.value(spec));
  const { groupPattern, portPattern, patternSize, ...networking } = values.networking;
  const config: Config = {
    ...values,
    networking: { ...networking, slots: reader.slots({ groupPattern, portPattern, patternSize }) },
    groups: new Map(free.filter(({ section }) => section === 'groups').map(({ key, value }) => [key, value])),
    overrides,
  };
  return {
    config,
    warnings: [...warnings, ...lookup.warnings],
    describe: () => [...allKeys.map((spec) => describe(spec, reader.found(spec))), ...free, ...describeOverrides(lookup)],
  };
}

class Reader {
  readonly #lookup: Lookup;
  readonly #home: string;
  readonly #problems: string[] = [];

  constructor(lookup: Lookup, home: string) {
    this.#lookup = lookup;
    this.#home = home;
  }

  found(spec: KeySpec<unknown>): Found {
    return this.#lookup.find(spec.section, spec.key) ?? { value: spec.default, file: null, folder: '/', writtenKey: spec.key };
  }

  check(spec: KeySpec<unknown>): void {
    if (this.#parse(spec) !== undefined) return;
    const meant = spec.kind.meant?.(this.found(spec).value) ?? null;
    this.#problem(spec, `is not allowed: it must be ${spec.kind.allowed}${meant === null ? '' : `; did you mean ${meant}?`}`);
  }

  value<T>(spec: KeySpec<T>): T {
    const value = this.#parse(spec);
    if (value === undefined) throw new Error(`${spec.section}.${spec.key} was not checked`);
    return value;
  }

  /** The value of a key in a section other than its own; undefined when it is not there. */
  valueIn<T>(section: string, spec: KeySpec<T>): T | undefined {
    const found = this.#lookup.find(section, spec.key);
    if (found === null) return undefined;
    const value = spec.kind.parse(found.value, { folder: found.folder, home: this.#home });
    if (value === undefined)
      this.#problems.push(
        `${found.file}: [${section}] ${found.writtenKey} = ${JSON.stringify(found.value.slice(0, 80))} is not allowed: it must be ${spec.kind.allowed}`,
      );
    return value;
  }

  slots({ groupPattern, portPattern, patternSize }: SlotPattern): readonly MulticastSlot[] {
    const made = multicastSlots(groupPattern, portPattern, patternSize);
    if ('slots' in made) return made.slots;
    this.#problem(sections.networking[made.field], `is not allowed: ${made.problem}`);
    this.throwProblems();
    return [];
  }

  throwProblems(): void {
    if (this.#problems.length > 0)
      throw new UserError('environment', this.#problems, 'docs/configuration.md lists every key and what it may be');
  }

  #parse<T>(spec: KeySpec<T>): T | undefined {
    const { value, folder } = this.found(spec);
    return spec.kind.parse(value, { folder, home: this.#home });
  }

  #problem(spec: KeySpec<unknown>, what: string): void {
    const { value, file, writtenKey } = this.found(spec);
    const shown = spec.secret ? HIDDEN : value.length <= 80 ? value : `${value.slice(0, 77)}...`;
    this.#problems.push(`${file ?? 'default'}: [${spec.section}] ${writtenKey} = ${JSON.stringify(shown)} ${what}`);
  }
}

const HIDDEN = '(hidden)';

function describe({ section, key, secret }: KeySpec<unknown>, { value, file, writtenKey }: Found): Setting {
  return { section, key, value: secret && value !== '' ? HIDDEN : value, source: file ?? 'default', writtenKey };
}

function describeFree(lookup: Lookup, section: string, key: string): Setting[] {
  const found = lookup.find(section, key);
  return found === null ? [] : [{ section, key, value: found.value, source: found.file ?? 'default', writtenKey: found.writtenKey }];
}

function describeOverrides(lookup: Lookup): Setting[] {
  return [...lookup.nodeSections].flatMap((section) => nodeKeys.flatMap(({ key }) => describeFree(lookup, section, key)));
}
