import { fold } from '../nodes/names.js';
import { UserError } from '../util/errors.js';

/** One thing that is wrong with one node (or, with node `all`, with every node); `times`: only so often, null: always. */
export type Fault = { node: number | 'all'; kind: FaultKind; value: number | null; times: number | null };

/** The faults that can be given a number of times: those that strike at a boot or a write. */
const COUNTED = ['no-boot', 'drop-at', 'disk-error-at', 'corrupt-at'] as const satisfies readonly FaultKind[];
type CountedKind = (typeof COUNTED)[number];

/** What each kind takes after its colon, and what it does. The table is the manual. */
export const FAULT_KINDS = {
  'cmc-silent': { value: null, summary: 'the power card accepts connections and never answers' },
  'cmc-refused': { value: null, summary: 'the power card refuses connections' },
  'cmc-busy': { value: { name: 'n', optional: 2, max: 1e6 }, summary: "the power card answers 'CM card busy' to the first n requests (2)" },
  'reset-ignored': { value: null, summary: "'reset' says ok and does nothing; 'on' and 'off' work" },
  'no-boot': { value: null, summary: 'the node is powered but nothing ever comes up' },
  'slow-boot': { value: { name: 'S', max: 86_400 }, summary: 'booting takes S seconds longer' },
  'telnet-silent': { value: null, summary: "the ramdisk's telnet accepts and says nothing" },
  'drop-at': { value: { name: 'PCT', max: 100 }, summary: 'the node dies without a word when PCT % are written' },
  'disk-error-at': { value: { name: 'PCT', max: 100 }, summary: 'the disk fails with EIO when PCT % are written' },
  'corrupt-at': {
    value: { name: 'PCT', max: 100 },
    summary: 'the sector at PCT % of what is written is written wrong, and nobody says so',
  },
  'ssh-refused': { value: null, summary: "the disk's system comes up without sshd" },
  'old-os-lingers': { value: { name: 'S', max: 86_400 }, summary: 'the old system answers for S more seconds after a reset' },
  loss: { value: { name: 'PCT', max: 99 }, summary: 'PCT % of the multicast packets are lost at the node' },
  'slow-disk': { value: { name: 'MBps', max: 1e6, positive: true }, summary: 'the disk writes MBps megabytes per second' },
  'disk-preloaded': { value: null, summary: 'the node starts switched on, running the demo image' },
} as const satisfies Record<string, { value: null | FaultValue; summary: string }>;

type FaultValue = { name: string; max: number; optional?: number; positive?: boolean };
export type FaultKind = keyof typeof FAULT_KINDS;

const isKind = (word: string): word is FaultKind => Object.hasOwn(FAULT_KINDS, word);

/** Every fault as it is written after the node's name, one per line, for help texts and errors. */
export function listFaults(): string[] {
  return Object.entries(FAULT_KINDS).map(([kind, { value, summary }]: [string, { value: null | FaultValue; summary: string }]) => {
    const suffix = value === null ? '' : value.optional === undefined ? `:${value.name}` : `[:${value.name}]`;
    return `${kind}${suffix}  ${summary}`;
  });
}

/**
 * Reads `fit05:cmc-silent`, `9:drop-at:40`, `all:loss:1`, `7:corrupt-at:50/1` (the first time only). Throws a UserError (usage) that names what is wrong and
 * lists the known faults.
 */
export function parseFault(text: string): Fault {
  const [whole = '', often, ...more] = text.split('/');
  const [who = '', kind = '', ...rest] = whole.split(':');
  const number = /^(?:fit|reboot)?(\d{1,4})$/.exec(who)?.[1];
  if (number === undefined && who !== 'all') throw bad(text, `'${who}' is not a node (fit05, 5 or all)`);
  if (!isKind(kind)) throw bad(text, kind === '' ? 'no fault after the node' : `unknown fault '${kind}'`);
  if (more.length > 0) throw bad(text, 'too many slashes');
  return {
    node: number === undefined ? 'all' : Number(number),
    kind,
    value: parseValue(text, kind, rest),
    times: often === undefined ? null : parseTimes(text, kind, often),
  };
}

function parseTimes(text: string, kind: FaultKind, word: string): number {
  if (!isCounted(kind)) throw bad(text, `'${kind}' cannot be given a number of times; ${COUNTED.join(', ')} can`);
  if (!/^[1-9]\d{0,5}$/.test(word)) throw bad(text, `'${word}' is not a number of times`);
  return Number(word);
}

const isCounted = (kind: FaultKind): kind is CountedKind => COUNTED.some((counted) => counted === kind);

function parseValue(text: string, kind: FaultKind, rest: string[]): number | null {
  const spec: FaultValue | null = FAULT_KINDS[kind].value;
  if (rest.length > 1) throw bad(text, 'too many colons');
  const [word] = rest;
  if (spec === null) {
    if (word !== undefined) throw bad(text, `'${kind}' takes no value`);
    return null;
  }
  if (word === undefined) {
    if (spec.optional === undefined) throw bad(text, `'${kind}' needs a value: ${kind}:${spec.name}`);
    return spec.optional;
  }
  const value = /^\d+(\.\d+)?$/.test(word) ? Number(word) : NaN;
  if (!(value <= spec.max) || (spec.positive === true && value === 0)) {
    throw bad(text, `'${word}' is not a ${spec.name} between 0 and ${spec.max}`);
  }
  return value;
}

function bad(text: string, why: string): UserError {
  return new UserError('usage', `fault '${text}': ${why}`, `faults are NODE:FAULT, with FAULT one of\n  ${listFaults().join('\n  ')}`);
}

/** All that is wrong with one node; null or false where nothing is. */
export type FaultProfile = {
  cmcSilent: boolean;
  cmcRefused: boolean;
  cmcBusyReplies: number;
  resetIgnored: boolean;
  noBoot: boolean;
  slowBootMs: number;
  telnetSilent: boolean;
  dropAtPercent: number | null;
  diskErrorAtPercent: number | null;
  corruptAtPercent: number | null;
  sshRefused: boolean;
  lingersMs: number;
  lossPercent: number;
  diskBytesPerSecond: number | null;
  preloaded: boolean;
  /** How often a fault strikes; those that are not here always do. */
  times: Partial<Record<CountedKind, number>>;
};

/** Whether a fault strikes at its `nth` occasion, from 1. */
export function strikes(profile: FaultProfile, kind: CountedKind, nth: number): boolean {
  return nth <= (profile.times[kind] ?? Infinity);
}

/** The profile for a node's `nth` write, without what has struck often enough. */
export function faultsOfWrite(profile: FaultProfile, nth: number): FaultProfile {
  const unless = (kind: CountedKind, value: number | null): number | null => (strikes(profile, kind, nth) ? value : null);
  return {
    ...profile,
    dropAtPercent: unless('drop-at', profile.dropAtPercent),
    diskErrorAtPercent: unless('disk-error-at', profile.diskErrorAtPercent),
    corruptAtPercent: unless('corrupt-at', profile.corruptAtPercent),
  };
}

/** Folds the faults that concern node `number` (its own and those for `all`); a later one of the same kind wins. */
export function faultProfile(number: number, faults: readonly Fault[]): FaultProfile {
  const mine = new Map(faults.filter(({ node }) => node === 'all' || node === number).map((fault) => [fault.kind, fault]));
  const times = Object.fromEntries([...mine.values()].flatMap(({ kind, times: often }) => (often === null ? [] : [[kind, often]])));
  const value = (kind: FaultKind): number | null => mine.get(kind)?.value ?? null;
  const megabytesPerSecond = value('slow-disk');
  return {
    cmcSilent: mine.has('cmc-silent'),
    cmcRefused: mine.has('cmc-refused'),
    cmcBusyReplies: value('cmc-busy') ?? 0,
    resetIgnored: mine.has('reset-ignored'),
    noBoot: mine.has('no-boot'),
    slowBootMs: 1000 * (value('slow-boot') ?? 0),
    telnetSilent: mine.has('telnet-silent'),
    dropAtPercent: value('drop-at'),
    diskErrorAtPercent: value('disk-error-at'),
    corruptAtPercent: value('corrupt-at'),
    sshRefused: mine.has('ssh-refused'),
    lingersMs: 1000 * (value('old-os-lingers') ?? 0),
    lossPercent: value('loss') ?? 0,
    diskBytesPerSecond: megabytesPerSecond === null ? null : megabytesPerSecond * 1e6,
    preloaded: mine.has('disk-preloaded'),
    times,
  };
}

/** Refuses faults for nodes that are not there. */
export function checkFaults(faults: readonly Fault[], numbers: readonly number[]): void {
  for (const { node, kind } of faults) {
    if (node !== 'all' && !numbers.includes(node)) {
      throw new UserError('usage', `fault ${kind} is for node ${node}, but the testbed has nodes ${fold(numbers)}`);
    }
  }
}
