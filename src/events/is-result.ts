import { isMoment, isObject, isText } from '../util/json.js';
import { type Checks, type Check, isBoolean, isNumber, isTextOrNull, oneOf, orNull, shaped } from './shapes.js';
import type { AnsweringSystem, LoadFacts, RunningImage, StampFacts, TargetResult, WhichAnswer } from './results.js';

type Fields<T extends TargetResult['type']> = Checks<Omit<Extract<TargetResult, { type: T }>, 'type'>>;

const system = { via: oneOf('ssh', 'telnet'), uptimeMs: orNull(isNumber), bootId: isTextOrNull } satisfies Checks<AnsweringSystem>;
const running = { image: isTextOrNull, stamp: isTextOrNull } satisfies Checks<RunningImage>;

const isReadBack = shaped({ mode: oneOf('sample', 'full'), ranges: isNumber, bytes: isNumber, ofBytes: isNumber, fromMemory: isBoolean });
const isVerification: Check = (value) => isObject(value) && (value.verified === true ? isReadBack(value) : isText(value.missing));

const stamp = { savedAt: isText, node: isText, image: isText, by: isText, comment: isTextOrNull } satisfies Checks<StampFacts>;
const load = {
  run: isText,
  name: isText,
  path: isText,
  digest: isTextOrNull,
  at: isMoment,
  by: isText,
  verify: oneOf('none', 'sample', 'full'),
  booted: isBoolean,
} satisfies Checks<LoadFacts>;
const which = {
  image: isText,
  source: oneOf('stamp', 'record'),
  saved: orNull(shaped(stamp)),
  load: orNull(shaped(load)),
  cleanSince: orNull(isBoolean),
  why: isTextOrNull,
} satisfies Checks<WhichAnswer>;

const kinds: { readonly [T in TargetResult['type']]: Fields<T> } = {
  loaded: {
    image: isText,
    bytes: isNumber,
    writeMs: isNumber,
    verification: orNull(isVerification),
    system: orNull(shaped({ ...system, ...running })),
  },
  'already-there': { image: isText, verifiedAt: orNull(isMoment) },
  saved: { path: isText, bytes: isNumber, sha256: isText },
  up: system,
  card: { answer: isText },
  which,
  words: { words: isText },
};

const checks = new Map<string, Check>(Object.entries(kinds).map(([type, fields]) => [type, shaped(fields)]));

/** Whether a value is a result: with the right fields, or of a type that this version does not know and says nothing of. */
export function isResult(value: unknown): boolean {
  return isObject(value) && isText(value.type) && (checks.get(value.type)?.(value) ?? true);
}
