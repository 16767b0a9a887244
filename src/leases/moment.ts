import { fail } from './failures.js';

/** Local time with its zone: `14:30 CET`, with the day unless that is today's, with the year unless it is this one. */
export function formatMoment(ms: number, nowMs: number): string {
  const [then, now] = [new Date(ms), new Date(nowMs)];
  const day = then.getFullYear() === now.getFullYear() ? dayText(then) : `${then.getFullYear()}-${dayText(then)}`;
  const isToday = then.getFullYear() === now.getFullYear() && dayText(then) === dayText(now);
  return `${isToday ? '' : `${day} `}${timeText(then)} ${zone(then)}`;
}

/** `2026-11-26 14:30 CET`, local time: always of the same shape, for tables. */
export function formatFull(ms: number): string {
  const then = new Date(ms);
  return `${then.getFullYear()}-${dayText(then)} ${timeText(then)} ${zone(then)}`;
}

/** `2026-11-26T14:30:00Z`: how servers are told. */
export function utcText(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`;
}

/**
 * The moment that a server's ISO text means, milliseconds since 1970; a text without a zone is UTC.
 *
 * @throws Failure `lease-api-garbled` when it is no time
 */
export function parseServerTime(text: unknown): number {
  const match =
    typeof text === 'string' ? /^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d(?::\d\d(?:\.\d+)?)?)(Z|[+-]\d\d:?\d\d)?$/i.exec(text.trim()) : null;
  const ms = match ? Date.parse(`${match[1]}T${match[2]}${(match[3] ?? 'Z').toUpperCase()}`) : NaN;
  if (Number.isNaN(ms)) throw fail('lease-api-garbled', `${JSON.stringify(text)} is no time`);
  return ms;
}

function dayText(date: Date): string {
  return `${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}

function timeText(date: Date): string {
  const seconds = date.getSeconds();
  return `${two(date.getHours())}:${two(date.getMinutes())}${seconds === 0 ? '' : `:${two(seconds)}`}`;
}

/** `CET`, `GMT+1`, `UTC`. */
function zone(date: Date): string {
  const parts = new Intl.DateTimeFormat('en-GB', { timeZoneName: 'short' }).formatToParts(date);
  return parts.find(({ type }) => type === 'timeZoneName')?.value ?? 'local time';
}

function two(number: number): string {
  return String(number).padStart(2, '0');
}
