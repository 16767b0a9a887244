import { UserError } from '../util/errors.js';

const FORMS = 'say now, 14, 14:30, 27T10:30 (the 27th), 12-10T01:00 (December 10), 2026-12-10T01:00, or +2h, +90m, +1h30m, +1d';
const UNIT_MS: Readonly<Record<string, number>> = { d: 86_400_000, h: 3_600_000, m: 60_000, s: 1000 };
/** A lease that ends at a bare time earlier than its beginning is meant to go through the night, if it is no longer than that. */
const OVERNIGHT_MS = 12 * 3_600_000;

/**
 * The moment that a person means, milliseconds since 1970, in local time. A bare time is today's. A day of the month or
 * of the year is the next such day, today included. `+2h` counts from `baseMs`. With `afterMs`, a bare time is one of the
 * same day as that, or of the night that follows: `22 2` ends the next morning, `14 13` ends before it begins.
 *
 * @throws UserError `usage` for what is no time, and for a local time that a change of clocks leaves out
 */
export function parseWhen(text: string, { nowMs, baseMs = nowMs, afterMs }: { nowMs: number; baseMs?: number; afterMs?: number }): number {
  const word = text.trim();
  if (word.toLowerCase() === 'now') return nowMs - (nowMs % 1000);
  if (word.startsWith('+')) return baseMs + duration(word);
  if (/^\d{4}-\d\d-\d\dT.*(Z|[+-]\d\d:?\d\d)$/i.test(word)) return absolute(word);
  const match = /^(?:(?:(?:(\d{4})-)?(\d{1,2})-)?(\d{1,2})T)?(\d{1,2})(?::(\d\d))?(?::(\d\d))?$/i.exec(word);
  if (!match) throw noTime(text);
  const [year, month, day, hour = 0, minute = 0, second = 0] = match
    .slice(1)
    .map((part) => (part === undefined ? undefined : Number(part)));
  if (hour > 24 || minute > 59 || second > 59 || (hour === 24 && minute + second > 0)) throw noTime(text);
  const time = { hour, minute, second };
  if (day !== undefined) return onDay(text, { year, month, day }, time, nowMs);
  const today = new Date(nowMs);
  const ms = local(text, today.getFullYear(), today.getMonth(), today.getDate(), time);
  if (afterMs === undefined) return ms;
  const start = new Date(afterMs);
  const sameDay = local(text, start.getFullYear(), start.getMonth(), start.getDate(), time);
  if (sameDay > afterMs) return sameDay;
  const nextDay = local(text, start.getFullYear(), start.getMonth(), start.getDate() + 1, time);
  return nextDay - afterMs <= OVERNIGHT_MS ? nextDay : sameDay;
}

type Time = { hour: number; minute: number; second: number };

/** The next such day, today included; what is missing of the date is filled in. */
function onDay(
  text: string,
  { year, month, day }: { year: number | undefined; month: number | undefined; day: number },
  time: Time,
  nowMs: number,
): number {
  const today = new Date(nowMs);
  const midnight = new Date(today.getFullYear(), today.getMonth(), today.getDate()).getTime();
  if (month !== undefined && (month < 1 || month > 12)) throw noTime(text);
  const step = month === undefined ? 1 : 12;
  const firstMonth = (year ?? today.getFullYear()) * 12 + (month === undefined ? today.getMonth() : month - 1);
  const tries = year === undefined ? (month === undefined ? 3 : 9) : 1; // a 31st within three months, a 29 February within nine years
  for (let index = 0; index < tries; index += 1) {
    const [y, m] = [Math.floor((firstMonth + index * step) / 12), (firstMonth + index * step) % 12];
    const start = new Date(y, m, day);
    if (day < 1 || start.getMonth() !== m) continue; // no such day in that month
    if (year === undefined && start.getTime() < midnight) continue;
    return local(text, y, m, day, time);
  }
  throw new UserError('usage', `${JSON.stringify(text)}: there is no such day`, FORMS);
}

function local(text: string, year: number, month: number, day: number, { hour, minute, second }: Time): number {
  const date = new Date(year, month, day, hour, minute, second);
  if (date.getHours() !== hour % 24 || date.getMinutes() !== minute) {
    throw new UserError('usage', `${JSON.stringify(text)}: the clocks leave that time out on that day`, 'take the hour before or after');
  }
  return date.getTime();
}

function absolute(text: string): number {
  const ms = Date.parse(text);
  if (Number.isNaN(ms)) throw noTime(text);
  return ms;
}

function duration(text: string): number {
  const parts = [...text.slice(1).matchAll(/(\d{1,6}(?:\.\d{1,3})?)([dhms])/gi)];
  if (parts.length === 0 || parts.map(([part]) => part).join('') !== text.slice(1)) throw noTime(text);
  return Math.round(parts.reduce((sum, [, amount, unit = '']) => sum + Number(amount) * (UNIT_MS[unit.toLowerCase()] ?? 0), 0));
}

function noTime(text: string): UserError {
  return new UserError('usage', `${JSON.stringify(text)} is no time`, FORMS);
}
