import { escaped } from './text.js';

/**
 * A value as JSON that is harmless for terminals: `JSON.stringify` leaves DEL, C1 and what turns the direction of writing as
 * they are; here they are escapes, which mean the same to every reader. `indent` in blanks; default: all on one line.
 */
export function jsonText(value: unknown, indent?: number): string {
  return escaped(JSON.stringify(value, null, indent));
}

/** Nothing of ours is nested so deep; what is could not be written again, as that is done by recursion. */
const MAX_DEPTH = 200;

/** What a text of JSON means; null when it is none, or nested deeper than anything we write. */
export function parseJson(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    return hasManyOpen(text) && isDeep(value) ? null : value;
  } catch {
    return null;
  }
}

/** Whether it may be deep: many brackets open at once, strings not told from the rest. */
function hasManyOpen(text: string): boolean {
  let open = 0;
  for (let index = 0; index < text.length && open <= MAX_DEPTH; index += 1) {
    const code = text.charCodeAt(index) | 0x20; // [ and {, ] and } are one bit apart
    if (code === 0x7b) open += 1;
    else if (code === 0x7d && open > 0) open -= 1;
  }
  return open > MAX_DEPTH;
}

function isDeep(value: unknown): boolean {
  let level = [value];
  for (let depth = 0; depth <= MAX_DEPTH && level.length > 0; depth += 1)
    level = level.flatMap((each) => (typeof each === 'object' && each !== null ? Object.values(each) : []));
  return level.length > 0;
}

/** A JSON object, no array: any key may be absent. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function isText(value: unknown): value is string {
  return typeof value === 'string';
}

/** A text that is not empty. */
export function isSomeText(value: unknown): value is string {
  return isText(value) && value !== '';
}

export function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every(isText);
}

/** Whether a number can be a moment, in milliseconds since 1970, that has a date. */
export function isMoment(value: unknown): value is number {
  return typeof value === 'number' && Math.abs(value) <= 8.64e15;
}
