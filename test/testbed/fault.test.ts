import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FAULT_KINDS, checkFaults, faultProfile, faultsOfWrite, listFaults, parseFault, strikes } from '../../src/testbed/fault.js';
import { UserError } from '../../src/util/errors.js';

describe('parseFault', () => {
  test.each([
    ['fit05:cmc-silent', { node: 5, kind: 'cmc-silent', value: null, times: null }],
    ['reboot05:cmc-refused', { node: 5, kind: 'cmc-refused', value: null, times: null }],
    ['9:drop-at:40', { node: 9, kind: 'drop-at', value: 40, times: null }],
    ['fit9:cmc-busy', { node: 9, kind: 'cmc-busy', value: 2, times: null }],
    ['fit9:cmc-busy:7', { node: 9, kind: 'cmc-busy', value: 7, times: null }],
    ['all:loss:1.5', { node: 'all', kind: 'loss', value: 1.5, times: null }],
    ['fit120:slow-disk:0.5', { node: 120, kind: 'slow-disk', value: 0.5, times: null }],
    ['fit7:corrupt-at:50/1', { node: 7, kind: 'corrupt-at', value: 50, times: 1 }],
    ['fit7:no-boot/3', { node: 7, kind: 'no-boot', value: null, times: 3 }],
  ])('%s', (text, fault) => expect(parseFault(text)).toEqual(fault));

  test.each([
    ['fit05', 'no fault after the node'],
    ['fit05:explode', "unknown fault 'explode'"],
    ['fit05:toString', "unknown fault 'toString'"],
    ['cmc-silent', "'cmc-silent' is not a node"],
    ['fit05:drop-at', "'drop-at' needs a value: drop-at:PCT"],
    ['fit05:drop-at:101', "'101' is not a PCT between 0 and 100"],
    ['fit05:drop-at:-1', "'-1' is not a PCT"],
    ['fit05:drop-at:', "'' is not a PCT"],
    ['fit05:drop-at:1:2', 'too many colons'],
    ['fit05:cmc-silent:1', "'cmc-silent' takes no value"],
    ['fit05:slow-disk:0', "'0' is not a MBps"],
    ['fit05:loss:1/2', "'loss' cannot be given a number of times"],
    ['fit05:no-boot/0', "'0' is not a number of times"],
    ['fit05:no-boot/1/2', 'too many slashes'],
    ['fit05:slow-boot:1e3', "'1e3' is not a S"],
  ])('%s is a usage error that lists the faults', (text, message) => {
    expect(() => parseFault(text)).toThrow(UserError);
    try {
      parseFault(text);
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      expect(error.kind).toBe('usage');
      expect(error.message).toContain(message);
      for (const kind of Object.keys(FAULT_KINDS)) expect(error.hint).toContain(kind);
    }
  });

  test('reads back every known fault as the list writes it', () => {
    for (const line of listFaults()) {
      const [written = ''] = line.split('  ');
      const text = `fit01:${written.replace(/\[.*\]/, '').replace(/:\w+$/, ':1')}`;
      expect(`${parseFault(text).kind}`).toBe(written.replace(/[[:].*/, ''));
    }
  });

  test('throws nothing but usage errors', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        try {
          parseFault(text);
        } catch (error) {
          expect(error).toBeInstanceOf(UserError);
        }
      }),
    );
  });
});

describe('faultProfile', () => {
  test('combines what concerns a node; later ones of a kind win', () => {
    const faults = ['all:loss:1', 'fit02:drop-at:40', 'fit02:loss:5', 'fit03:no-boot'].map(parseFault);
    expect(faultProfile(2, faults)).toMatchObject({ lossPercent: 5, dropAtPercent: 40, noBoot: false, cmcBusyReplies: 0 });
    expect(faultProfile(1, faults)).toMatchObject({ lossPercent: 1, dropAtPercent: null });
    expect(faultProfile(3, faults)).toMatchObject({ lossPercent: 1, noBoot: true });
  });

  test('faults that strike a number of times stop striking', () => {
    const profile = faultProfile(2, ['fit02:drop-at:40/1', 'fit02:corrupt-at:50', 'fit02:no-boot/2'].map(parseFault));
    expect(faultsOfWrite(profile, 1)).toMatchObject({ dropAtPercent: 40, corruptAtPercent: 50 });
    expect(faultsOfWrite(profile, 2)).toMatchObject({ dropAtPercent: null, corruptAtPercent: 50 });
    expect([1, 2, 3].map((nth) => strikes(profile, 'no-boot', nth))).toEqual([true, true, false]);
    expect(faultProfile(2, ['all:no-boot/1', 'fit02:no-boot'].map(parseFault)).times).toEqual({});
  });

  test('refuses faults of nodes that are not there', () => {
    const numbers = Array.from({ length: 12 }, (_, index) => index + 1);
    expect(() => checkFaults([parseFault('fit12:no-boot')], numbers)).not.toThrow();
    expect(() => checkFaults([parseFault('fit13:no-boot')], numbers)).toThrow('nodes 1-12');
    expect(() => checkFaults([parseFault('0:no-boot')], numbers)).toThrow('nodes 1-12');
  });
});
