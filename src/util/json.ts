import { escaped } from './text.js';

/**
 * A value as JSON that is harmless for terminals: `JSON.stringify` leaves DEL, C1 and what turns the direction of writing as
 * they are; here they are escapes, which mean the same to every reader. `indent` in blanks; default: all on one line.
 */
export function jsonText(value: unknown, indent?: number): string {
  return escaped(JSON.stringify(value, null, indent));
}

/** What a text of JSON means; null when it is none. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

export function isText(value: unknown): value is string {
  return typeof value === 'string';
}

export function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every(isText);
}

/** Whether a number can be a moment, in milliseconds since 1970, that has a date. */
export function isMoment(value: unknown): value is number {
  return typeof value === 'number' && Math.abs(value) <= 8.64e15;
}
