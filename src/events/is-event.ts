import { isBlame } from '../util/errors.js';
import { isMoment, isObject, isText, isTexts } from '../util/json.js';
import { type Check, type Checks, isBoolean, isNumber, isTextOrNull, listOf, oneOf, optional, orNull, shaped } from './shapes.js';
import { isResult } from './is-result.js';
import type { EventBody, ImagingEvent } from './types.js';
import type { LeftBehind, StepFacts } from './work.js';

const isStep = shaped({
  name: isText,
  moves: optional(oneOf('bytes')),
  early: optional(isBoolean),
  disk: optional(oneOf('in-write', 'written', 'judged')),
} satisfies Checks<StepFacts>);
const isLeftBehind = shaped({
  disk: oneOf('as-it-was', 'in-write', 'written'),
  steps: optional(isTexts),
  words: isText,
} satisfies Checks<LeftBehind>);

/** What the fields of each type of event must be. */
const kinds: { readonly [T in EventBody['type']]: Checks<Omit<Extract<EventBody, { type: T }>, 'type'>> } = {
  'run.started': {
    schema: isNumber,
    command: isText,
    kind: oneOf('node', 'drive', 'job'),
    targets: isTexts,
    steps: listOf(isStep),
    leftBehind: listOf(isLeftBehind),
    details: isObject,
  },
  'run.note': { text: isText },
  'run.warning': { text: isText },
  'target.step': { target: isText, step: isText, attempt: isNumber },
  'target.note': { target: isText, step: isText, text: isText },
  'target.progress': { target: isText, doneBytes: isNumber, totalBytes: isNumber },
  'target.retry': { target: isText, step: isText, reason: isText },
  'target.failed': { target: isText, step: isText, code: isText, message: isText, hint: isTextOrNull, blame: isBlame, elapsedMs: isNumber },
  'target.done': { target: isText, elapsedMs: isNumber, result: orNull(isResult), remarks: optional(isTexts) },
  'target.skipped': { target: isText, reason: isText },
  'server.started': { engine: isText, group: isText, port: isNumber, rateBps: isNumber, image: isText },
  'server.join': { target: isTextOrNull, address: isText, clientId: isNumber },
  'server.leave': { target: isTextOrNull, address: isText, clientId: isNumber },
  'server.progress': { target: isTextOrNull, address: isText, askedBlocks: isNumber, totalBlocks: isNumber, idleMs: isNumber },
  'server.rate': { port: isNumber, rateBps: isNumber, sentBlocks: isNumber, repeatedBlocks: isNumber, reason: isText },
  'server.stopped': { port: isNumber, sentBlocks: isNumber, repeatedBlocks: isNumber },
  'run.failed': { code: isText, message: isText, hint: isTextOrNull },
  'run.interrupted': { signal: isText, then: isText },
  'run.finished': { ok: isTexts, failed: isTexts, skipped: isTexts, exitCode: isNumber, elapsedMs: isNumber },
};

const checks = new Map<string, Check>(Object.entries(kinds).map(([type, fields]) => [type, shaped(fields)]));

/**
 * Whether a value, read from a journal that anybody may have written, is an event of a type that this version knows, with
 * fields of the right kinds. Those of later versions are none: whoever reads passes over them.
 */
export function isEvent(value: unknown): value is ImagingEvent {
  if (!isObject(value) || !isText(value.type) || !isMoment(value.at) || !Number.isInteger(value.seq) || !isText(value.run)) return false;
  return checks.get(value.type)?.(value) ?? false;
}
