import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { formatFull, formatMoment, parseServerTime } from '../../src/leases/moment.js';
import { parseWhen } from '../../src/leases/when.js';
import { Failure, UserError } from '../../src/util/errors.js';
import { thrown } from '../helpers/thrown.js';

const zone = process.env.TZ;
beforeAll(() => void (process.env.TZ = 'Europe/Paris'));
afterAll(() => {
  if (zone === undefined) delete process.env.TZ;
  else process.env.TZ = zone;
});

/** In Paris, winter. */
const now = Date.parse('2026-11-26T10:20:30+01:00');
const local = (ms: number): string => `${new Date(ms).toLocaleString('sv')}`;

describe('parseWhen', () => {
  test.each([
    ['14', '2026-11-26 14:00:00'],
    ['9', '2026-11-26 09:00:00'],
    ['14:30', '2026-11-26 14:30:00'],
    ['0:05', '2026-11-26 00:05:00'],
    ['24', '2026-11-27 00:00:00'],
    ['27T10:30', '2026-11-27 10:30:00'],
    ['26T9', '2026-11-26 09:00:00'], // today, though past
    ['1T10', '2026-12-01 10:00:00'], // the next 1st
    ['31T10', '2026-12-31 10:00:00'], // November has none
    ['12-10T01:00', '2026-12-10 01:00:00'],
    ['11-25T01:00', '2027-11-25 01:00:00'], // yesterday's date is next year's
    ['2-29T8', '2028-02-29 08:00:00'],
    ['2026-12-10T01:00', '2026-12-10 01:00:00'],
    ['2026-12-10T01:00:15', '2026-12-10 01:00:15'],
    ['2026-11-20T01:00', '2026-11-20 01:00:00'], // with a year, it is what it is
    ['2026-12-10T01:00Z', '2026-12-10 02:00:00'],
    ['2026-12-10T01:00:00.000Z', '2026-12-10 02:00:00'],
    ['2026-12-10T01:00-05:00', '2026-12-10 07:00:00'],
    ['now', '2026-11-26 10:20:30'],
    ['+2h', '2026-11-26 12:20:30'],
    ['+90m', '2026-11-26 11:50:30'],
    ['+1h30m', '2026-11-26 11:50:30'],
    ['+1d', '2026-11-27 10:20:30'],
    ['+1.5h', '2026-11-26 11:50:30'],
  ])('%s is %s', (text, expected) => {
    expect(local(parseWhen(text, { nowMs: now }))).toBe(expected);
  });

  test.each([
    ['2', '2026-11-27 02:00:00'], // the next morning
    ['22:30', '2026-11-26 22:30:00'],
    ['+2h', '2026-11-27 00:00:00'], // from the beginning on
    ['21', '2026-11-26 21:00:00'], // 23 hours would be a mistake
    ['27T2', '2026-11-27 02:00:00'],
  ])('until %s after 22:00 is %s', (text, expected) => {
    const from = parseWhen('22', { nowMs: now });
    expect(local(parseWhen(text, { nowMs: now, baseMs: from, afterMs: from }))).toBe(expected);
  });

  test.each([
    '',
    'x',
    '25',
    '14:60',
    '14:5',
    '24:01',
    '+',
    '+2',
    '+2x',
    '+h',
    '2h',
    '32T10',
    '0T10',
    '13-10T10',
    '2-30T10',
    '2026-02-30T10:00',
    '26T',
    'T10',
    '1e3',
    '-2',
    '14:30:99',
    '2026-13-45T99:99Z',
  ])('%j is no time, and the forms are told', (text) => {
    const error = thrown(UserError, () => parseWhen(text, { nowMs: now }));
    expect(error).toMatchObject({ kind: 'usage', hint: expect.stringContaining('14:30') });
    expect(error.message).toContain(JSON.stringify(text));
  });

  test('refuses a time that a change of clocks leaves out', () => {
    expect(thrown(UserError, () => parseWhen('2027-03-28T02:30', { nowMs: now })).message).toContain('the clocks leave that time out');
    expect(local(parseWhen('2027-03-28T03:30', { nowMs: now }))).toBe('2027-03-28 03:30:00');
  });

  test('a day never lies before today, and never further than a year ahead but for 29 February', () => {
    fc.assert(
      fc.property(
        fc.date({ min: new Date('2020-01-01'), max: new Date('2090-01-01'), noInvalidDate: true }),
        fc.integer({ min: 1, max: 12 }),
        fc.integer({ min: 1, max: 28 }),
        (date, month, day) => {
          const today = new Date(date.getFullYear(), date.getMonth(), date.getDate()).getTime();
          const ms = parseWhen(`${month}-${day}T12`, { nowMs: date.getTime() });
          expect(ms).toBeGreaterThan(today);
          expect(ms - today).toBeLessThan(367 * 86_400_000);
          expect(new Date(ms).getDate()).toBe(day);
          const inMonth = parseWhen(`${day}T12`, { nowMs: date.getTime() });
          expect(inMonth - today).toBeLessThan(33 * 86_400_000);
          expect(inMonth).toBeGreaterThan(today);
        },
      ),
    );
  });
});

describe('moments', () => {
  test('are told with their zone, as short as they can be', () => {
    const at = (iso: string): string => formatMoment(Date.parse(iso), now);
    expect(at('2026-11-26T14:00:00+01:00')).toMatch(/^14:00 (CET|GMT\+1)$/);
    expect(at('2026-11-26T14:00:05+01:00')).toMatch(/^14:00:05 /);
    expect(at('2026-11-27T14:00:00+01:00')).toMatch(/^11-27 14:00 /);
    expect(at('2027-07-01T14:00:00+02:00')).toMatch(/^2027-07-01 14:00 (CEST|GMT\+2)$/);
    expect(formatFull(now)).toMatch(/^2026-11-26 10:20:30 (CET|GMT\+1)$/);
  });

  test.each([
    ['2026-11-26T14:00:00Z', '2026-11-26T14:00:00Z'],
    ['2026-11-26T14:00:00', '2026-11-26T14:00:00Z'], // without a zone: UTC
    ['2026-11-26 14:00:00.250', '2026-11-26T14:00:00.250Z'],
    ['2026-11-26T14:00:00.123456+00:00', '2026-11-26T14:00:00.123Z'],
    ['2026-11-26T14:00+0100', '2026-11-26T13:00:00Z'],
  ])('a server’s %s is %s', (text, expected) => {
    expect(parseServerTime(text)).toBe(Date.parse(expected));
  });

  test.each(['', 'soon', '2026-11-26', '2026-13-26T14:00:00Z', 5, null, '14:00'])('a server’s %j is no time', (text) => {
    expect(thrown(Failure, () => parseServerTime(text)).code).toBe('lease-api-garbled');
  });
});
