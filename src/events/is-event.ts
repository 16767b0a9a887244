import { isBlame } from '../util/errors.js';
import { isMoment, isObject, isText, isTexts } from '../util/json.js';
import type { EventBody, ImagingEvent } from './types.js';

type Check = (value: unknown) => boolean;

const isNumber: Check = (value) => typeof value === 'number' && Number.isFinite(value);
const isTextOrNull: Check = (value) => value === null || isText(value);
const isBlameIfThere: Check = (value) => value === undefined || isBlame(value);
const isTextsIfThere: Check = (value) => value === undefined || isTexts(value);

/** What the fields of each type of event must be. */
const kinds: { readonly [T in EventBody['type']]: { readonly [K in Exclude<keyof Extract<EventBody, { type: T }>, 'type'>]: Check } } = {
  'run.started': { schema: isNumber, command: isText, nodes: isTexts, details: isObject },
  'run.note': { text: isText },
  'run.warning': { text: isText },
  'node.step': { node: isText, step: isText, attempt: isNumber },
  'node.note': { node: isText, step: isText, text: isText },
  'node.progress': { node: isText, doneBytes: isNumber, totalBytes: isNumber },
  'node.retry': { node: isText, step: isText, reason: isText },
  'node.failed': {
    node: isText,
    step: isText,
    code: isText,
    message: isText,
    hint: isTextOrNull,
    blame: isBlameIfThere,
    elapsedMs: isNumber,
  },
  'node.done': { node: isText, elapsedMs: isNumber, detail: isTextOrNull, remarks: isTextsIfThere },
  'node.skipped': { node: isText, reason: isText },
  'server.started': { engine: isText, group: isText, port: isNumber, rateBps: isNumber, image: isText },
  'server.join': { node: isTextOrNull, address: isText, clientId: isNumber },
  'server.leave': { node: isTextOrNull, address: isText, clientId: isNumber },
  'server.progress': { node: isTextOrNull, address: isText, askedBlocks: isNumber, totalBlocks: isNumber, idleMs: isNumber },
  'server.rate': { port: isNumber, rateBps: isNumber, sentBlocks: isNumber, repeatedBlocks: isNumber, reason: isText },
  'server.stopped': { port: isNumber, sentBlocks: isNumber, repeatedBlocks: isNumber },
  'run.failed': { code: isText, message: isText, hint: isTextOrNull },
  'run.interrupted': { signal: isText, then: isText },
  'run.finished': { ok: isTexts, failed: isTexts, skipped: isTexts, exitCode: isNumber, elapsedMs: isNumber },
};

const fields = new Map<string, [name: string, is: Check][]>(Object.entries(kinds).map(([type, checks]) => [type, Object.entries(checks)]));

/**
 * Whether a value, read from a journal that anybody may have written, is an event of a type that this version knows, with
 * fields of the right kinds. Those of later versions are none: whoever reads passes over them.
 */
export function isEvent(value: unknown): value is ImagingEvent {
  if (!isObject(value) || !isText(value.type) || !isMoment(value.at) || !Number.isInteger(value.seq) || !isText(value.run)) return false;
  return fields.get(value.type)?.every(([name, is]) => is(value[name])) ?? false;
}
