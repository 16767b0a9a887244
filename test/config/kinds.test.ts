import { describe, expect, test } from 'vitest';
import * as kinds from '../../src/config/kinds.js';
import { multicastSlots, parsePortPattern } from '../../src/config/patterns.js';

const context = { folder: '/home/ann/exp', home: '/home/ann' };
const read = <T>(kind: kinds.Kind<T>, text: string): T | undefined => kind.parse(text, context);

describe('kinds of values', () => {
  test.each([
    ['yes', true],
    ['true', true],
    ['on', true],
    ['1', true],
    ['YES', true],
    ['True', true],
    ['no', false],
    ['false', false],
    ['off', false],
    ['0', false],
    ['Off', false],
    ['', undefined],
    ['y', undefined],
    ['2', undefined],
    ['null', undefined],
  ])('the boolean %j', (text, expected) => {
    expect(read(kinds.boolean, text)).toBe(expected);
  });

  test.each([
    ['15', 15_000],
    ['0.5', 500],
    ['0.0001', undefined],
    ['0', undefined],
    ['80s', undefined],
    ['-1', undefined],
    ['1e3', undefined],
    ['', undefined],
    ['Infinity', undefined],
    ['604800', 604_800_000],
    ['604801', undefined],
    ['0x10', undefined],
    ['.5', undefined],
  ])('the seconds %j', (text, expected) => {
    expect(read(kinds.seconds(0.01), text)).toBe(expected);
  });

  test.each([
    ['1', 1],
    ['65535', 65_535],
    ['0', undefined],
    ['65536', undefined],
    ['22.0', undefined],
    ['ssh', undefined],
  ])('the port %j', (text, expected) => {
    expect(read(kinds.port, text)).toBe(expected);
  });

  test.each([
    ['/var/lib/x', '/var/lib/x'],
    ['images', '/home/ann/exp/images'],
    ['../images/', '/home/ann/images'],
    ['~/images', '/home/ann/images'],
    ['~', '/home/ann'],
    ['~bob/x', '/home/ann/exp/~bob/x'],
    ['', undefined],
  ])('the path %j', (text, expected) => {
    expect(read(kinds.path, text)).toBe(expected);
  });

  test('does not take ~ for the root without a home', () => {
    expect(kinds.path.parse('~/x', { folder: '/etc', home: '' })).toBeUndefined();
  });

  test('keeps shell characters out of what is typed on nodes', () => {
    expect(read(kinds.program, '/usr/bin/imagezip-1.0')).toBe('/usr/bin/imagezip-1.0');
    expect(read(kinds.nodePath, '/dev/disk/by-id/a:b')).toBe('/dev/disk/by-id/a:b');
    for (const text of ['frisbee; reboot', '$(x)', 'a b', '`x`', 'a|b', '', "a'b", '-x', 'a\nb'])
      expect(read(kinds.program, text)).toBeUndefined();
    for (const text of ['sda', '/dev/sda; x', '/dev/s da', '']) expect(read(kinds.nodePath, text)).toBeUndefined();
  });

  test.each([
    ['-K 3', ['-K', '3']],
    ['', []],
    ['  a\t b ', ['a', 'b']],
    [`a "b c" 'd "e'`, ['a', 'b c', 'd "e']],
    [`--x="b c"d`, ['--x=b cd']],
    ['""', ['']],
    ['"a', undefined],
    [`it's`, undefined],
  ])('the words %j', (text, expected) => {
    expect(read(kinds.words, text)).toEqual(expected);
  });

  test('a command about an address names it', () => {
    expect(read(kinds.ipCommand, 'ping -c 1 {ip}')).toEqual(['ping', '-c', '1', '{ip}']);
    expect(read(kinds.ipCommand, '')).toBeNull();
    expect(read(kinds.ipCommand, 'ping')).toBeUndefined();
    expect(read(kinds.ipCommand, '{ip}')).toBeUndefined();
  });

  test.each([
    ['fit', 'fit'],
    ['node-', 'node-'],
    ['', undefined],
    ['1', undefined],
    ['7fit', undefined],
    ['fit~', undefined],
    ['a,b', undefined],
  ])('the prefix %j', (text, expected) => {
    expect(read(kinds.prefix, text)).toBe(expected);
  });

  test.each([
    ['192.168.3.100', '192.168.3.100'],
    ['', null],
    ['localhost', undefined],
    ['1.2.3', undefined],
  ])('the optional address %j', (text, expected) => {
    expect(read(kinds.optional(kinds.ipv4), text)).toBe(expected);
  });
});

describe('multicast patterns', () => {
  test.each([
    ['10000 + *', [10_001, 10_002, 10_003]],
    ['10000+*', [10_001, 10_002, 10_003]],
    ['* + 10000', [10_001, 10_002, 10_003]],
    ['20000 + 2 * *', [20_002, 20_004, 20_006]],
    ['20000 + * * 10', [20_010, 20_020, 20_030]],
    ['* * * + 100', [101, 104, 109]],
    ['60000 - 2 * * - 1', [59_997, 59_995, 59_993]],
    ['*', [1, 2, 3]],
  ])('%s is a port per slot', (text, ports) => {
    const pattern = parsePortPattern(text);
    expect([1, 2, 3].map((slot) => pattern?.(slot))).toEqual(ports);
  });

  test.each([
    '10000',
    '',
    '+',
    '* +',
    '10000 * +',
    '1000*',
    '+ *',
    '10000 + * 2',
    '(1 + *)',
    '1 / *',
    'x + *',
    '0x10 + *',
    '1.5 + *',
    '9999999 + *',
    '__import__("os") + *',
    'process.exit() + *',
  ])('%j is no port pattern', (text) => {
    expect(parsePortPattern(text)).toBeNull();
  });

  const slots = (groups: string, ports: string, size: number): unknown => multicastSlots(groups, parsePortPattern(ports)!, size);

  test('make the slots of loads', () => {
    expect(slots('234.5.6.*', '10000 + *', 2)).toEqual({
      slots: [
        { group: '234.5.6.1', port: 10_001 },
        { group: '234.5.6.2', port: 10_002 },
      ],
    });
    expect(slots('239.*.0.1', '10000 + *', 1)).toEqual({ slots: [{ group: '239.1.0.1', port: 10_001 }] });
  });

  test('are refused when a slot would be no group or no port, or the port of another', () => {
    expect(slots('192.168.3.*', '10000 + *', 1)).toMatchObject({
      field: 'groupPattern',
      problem: expect.stringContaining('192.168.3.1, no multicast address'),
    });
    expect(slots('234.5.6.*', '10000 + *', 256)).toMatchObject({
      field: 'groupPattern',
      problem: expect.stringContaining('234.5.6.256'),
    });
    expect(slots('234.5.6.*', '65530 + *', 20)).toMatchObject({ field: 'portPattern', problem: expect.stringContaining('65536, no port') });
    expect(slots('234.5.6.*', '2 - *', 20)).toMatchObject({
      field: 'portPattern',
      problem: expect.stringContaining('slot 2 (pattern_size is 20) is 0'),
    });
    expect(slots('234.5.6.*', '10000 + 0 * *', 20)).toMatchObject({
      field: 'portPattern',
      problem: expect.stringContaining('10000 again'),
    });
  });
});
