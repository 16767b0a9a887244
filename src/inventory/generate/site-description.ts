import { isHostname } from '../addresses.js';
import { placeName } from './machine-map.js';
import { addressIn, MAX_NUMBER, overlap, parseNetwork, type Network } from './network.js';

/** The three interfaces of a machine. */
export const roles = ['cmc', 'control', 'data'] as const;
export type Role = (typeof roles)[number];

/** A testbed, as its description says: what of the machines is in it, and what they are called there. */
export type SiteDescription = {
  /** What the files are called, and the gateway in them. */
  name: string;
  /** The map of machines, as written: relative to the description's folder. */
  map: string;
  /** Machines in slots, numbered by slot; or those elsewhere, numbered as on their label. */
  mode: 'production' | 'preplab';
  /** In mode preplab: the map's word for where the spare machines are. */
  place: string;
  /** In mode preplab: only the spare machines, or every machine of the map. */
  machines: 'spare' | 'all';
  /** The DNS domain of full host names, or null. */
  domain: string | null;
  prefixes: Readonly<Record<Role, string>>;
  networks: Readonly<{ cmc: Network; control: Network /** Null: there is no data network. */; data: Network | null }>;
  /** The last number of the gateway's address in each network. */
  gateway: number;
  omf: Readonly<{
    hardwareType: string /** The one resource that stands for the whole testbed; null: one for each node. */;
    resource: string | null;
  }>;
};

/** Section → key → value, as an ini file has them. */
export type SectionValues = ReadonlyMap<string, ReadonlyMap<string, string>>;

type KeySpec<T> = { default: string | null; allowed: string; parse(text: string): T | null };
type Values<K> = { [N in keyof K]: K[N] extends KeySpec<infer T> ? T : never };

const label: KeySpec<string> = {
  default: null,
  allowed: 'letters, digits and inner hyphens',
  parse: (text) => (isHostname(text) && !text.includes('.') ? text : null),
};
const network: KeySpec<Network> = {
  default: null,
  allowed: 'a network such as 192.168.1.0/24: its address ends in .0, its prefix has 8 to 29 bits',
  parse: parseNetwork,
};
const hostPrefix = (value: string): KeySpec<string> => ({
  default: value,
  allowed: 'the beginning of a host name: a letter, then letters, digits or hyphens',
  parse: (text) => (/^[A-Za-z][A-Za-z0-9-]*$/.test(text) ? text : null),
});
const choice = <T extends string>(value: T | null, ...options: readonly T[]): KeySpec<T> => ({
  default: value,
  allowed: options.join(' or '),
  parse: (text) => options.find((option) => option === text) ?? null,
});
/** The kinds of `null` there are: `{ value: null }` says nothing was given, and that is fine. */
const optional = <T>(kind: KeySpec<T>): KeySpec<{ value: T | null }> => ({
  default: '',
  allowed: `${kind.allowed}; or nothing`,
  parse: (text) => {
    const value = text === '' ? null : kind.parse(text);
    return text !== '' && value === null ? null : { value };
  },
});
const domainName: KeySpec<string> = { default: null, allowed: 'a DNS domain', parse: (text) => (isHostname(text) ? text : null) };
const path: KeySpec<string> = {
  default: null,
  allowed: "a file: a relative path starts at this file's folder",
  parse: (text) => text || null,
};
const word: KeySpec<string> = { default: 'PC', allowed: 'a word', parse: (text) => (/^[\w.-]+$/.test(text) ? text : null) };

const keys = {
  'site.name': label,
  'site.mode': choice(null, 'production', 'preplab'),
  'site.map': path,
  'site.place': { default: 'preplab', allowed: 'a word that the map uses for a place', parse: placeName },
  'site.machines': choice<'spare' | 'all'>('spare', 'spare', 'all'),
  'site.domain': optional(domainName),
  'names.control': hostPrefix('fit'),
  'names.cmc': hostPrefix('reboot'),
  'names.data': hostPrefix('data'),
  'networks.cmc': network,
  'networks.control': network,
  'networks.data': optional(network),
  'networks.gateway': {
    default: '100',
    allowed: `a whole number, 1 to ${MAX_NUMBER}`,
    parse: (text: string) => (/^\d{1,3}$/.test(text) && Number(text) >= 1 && Number(text) <= MAX_NUMBER ? Number(text) : null),
  },
  'omf.hardware_type': word,
  'omf.resource': optional(label),
} satisfies Record<string, KeySpec<unknown>>;

/** Every key of a site description: what it may be, and its default; null says that it must be given. */
export const siteKeys: readonly { key: string; default: string | null; allowed: string }[] = Object.entries<KeySpec<unknown>>(keys).map(
  ([key, spec]) => ({ key, default: spec.default, allowed: spec.allowed }),
);

/**
 * A site from the values of its description, and everything that is wrong with them, one line each beginning with the
 * file; null when anything is.
 */
export function parseSiteDescription(values: SectionValues, file: string): { site: SiteDescription | null; problems: string[] } {
  const problems = unknownKeys(values).map((problem) => `${file}: ${problem}`);
  const parsed: Record<string, unknown> = {};
  for (const [name, spec] of Object.entries<KeySpec<unknown>>(keys)) {
    const [section = '', key = ''] = name.split('.');
    const text = values.get(section)?.get(key) ?? spec.default;
    const value = text === null ? null : spec.parse(text);
    if (text === null) problems.push(`${file}: [${section}] ${key} is missing: it must be ${spec.allowed}`);
    else if (value === null)
      problems.push(`${file}: [${section}] ${key} = ${JSON.stringify(text)} is not allowed: it must be ${spec.allowed}`);
    parsed[name] = value;
  }
  if (problems.length > 0) return { site: null, problems };
  const site = build(parsed as Values<typeof keys>); // as: every key was parsed by its own entry, and none was refused
  problems.push(...contradictions(site).map((problem) => `${file}: ${problem}`));
  return { site: problems.length > 0 ? null : site, problems };
}

function build(values: Values<typeof keys>): SiteDescription {
  return {
    name: values['site.name'],
    map: values['site.map'],
    mode: values['site.mode'],
    place: values['site.place'],
    machines: values['site.machines'],
    domain: values['site.domain'].value,
    prefixes: { cmc: values['names.cmc'], control: values['names.control'], data: values['names.data'] },
    networks: { cmc: values['networks.cmc'], control: values['networks.control'], data: values['networks.data'].value },
    gateway: values['networks.gateway'],
    omf: { hardwareType: values['omf.hardware_type'], resource: values['omf.resource'].value },
  };
}

function unknownKeys(values: SectionValues): string[] {
  const known = Object.keys(keys);
  const sections = [...new Set(known.map((name) => name.split('.')[0] ?? ''))];
  return [...values].flatMap(([section, settings]) => {
    if (!sections.includes(section)) return [`unknown section [${section}]: there are ${sections.map((each) => `[${each}]`).join(', ')}`];
    const own = known.filter((name) => name.startsWith(`${section}.`)).map((name) => name.slice(section.length + 1));
    return [...settings.keys()]
      .filter((key) => !own.includes(key))
      .map((key) => `unknown key [${section}] ${key}: there are ${own.join(', ')}`);
  });
}

/** What no key shows by itself. */
function contradictions({ prefixes, networks, gateway }: SiteDescription): string[] {
  const problems: string[] = [];
  const pairs = [
    ['cmc', 'control'],
    ['cmc', 'data'],
    ['control', 'data'],
  ] as const;
  for (const [one, other] of pairs) {
    if (prefixes[one].toLowerCase() === prefixes[other].toLowerCase())
      problems.push(`[names] ${one} and ${other} are both ${prefixes[one]}: host names would not be unique`);
    const [first, second] = [networks[one], networks[other]];
    if (first && second && overlap(first, second)) problems.push(`[networks] ${one} = ${first.text} and ${other} = ${second.text} overlap`);
  }
  for (const role of roles) {
    const own = networks[role];
    if (own && addressIn(own, gateway) === null)
      problems.push(`[networks] ${role} = ${own.text} has no address for the gateway, number ${gateway}`);
  }
  return problems;
}
