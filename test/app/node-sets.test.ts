import { describe, expect, test } from 'vitest';
import { setResolver } from '../../src/app/node-sets.js';
import { parseNodeSpecs } from '../../src/nodes/parse.js';
import { fold } from '../../src/nodes/names.js';
import { UserError } from '../../src/util/errors.js';
import { scratch } from '../helpers/cli.js';
import { thrown } from '../helpers/thrown.js';
import { alive, storeRun } from '../runs/stored.js';

const names = { regularName: 'fit', rebootName: 'reboot' };
const RUN = '20261121-023011-load-0001';

function resolver(groups: Record<string, string>, dir: string | null = null) {
  const resolve = setResolver(new Map(Object.entries(groups)), names, dir);
  return (line: string): string => fold(parseNodeSpecs(line.split(' '), names, undefined, resolve));
}
const failure = (groups: Record<string, string>, line: string, dir: string | null = null): UserError =>
  thrown(UserError, () => resolver(groups, dir)(line));

describe('groups', () => {
  test('hold specs, operators and other groups', () => {
    const select = resolver({ usrp: '1,5,9-11', corner: '1-3 @usrp ~2', both: '@usrp &@corner ^30' });
    expect(select('@usrp')).toBe('1,5,9-11');
    expect(select('@USRP')).toBe('1,5,9-11');
    expect(select('@corner 40')).toBe('1,3,5,9-11,40');
    expect(select('1-20 &@both')).toBe('1,5,9-11');
    expect(select('@usrp @usrp,@corner')).toBe('1,3,5,9-11');
    expect(resolver({ none: '' })('1 ~@none')).toBe('1');
  });

  test('that are not there: the nearest is named, or what there is', () => {
    expect(failure({ usrp: '1' }, '@ursp')).toMatchObject({
      kind: 'usage',
      message: 'there is no group "ursp"',
      hint: 'did you mean @usrp?',
    });
    expect(failure({ usrp: '1', corner: '2' }, '@somewhere').hint).toBe('there are @usrp, @corner');
    expect(failure({}, '@usrp').hint).toContain('[groups]');
    expect(failure({}, '@failed').hint).toContain('@failed:last');
    expect(failure({ a: '@b', c: '1' }, '@a')).toMatchObject({ kind: 'environment', message: 'groups.a: there is no group "b"' });
  });

  test('that hold themselves, or no specs, are the configuration’s mistake', () => {
    expect(failure({ a: '1 @b', b: '@c', c: '@a' }, '@a')).toMatchObject({
      kind: 'environment',
      message: 'groups.a: the group holds itself: a -> b -> c -> a',
    });
    expect(failure({ a: '1-' }, '@a')).toMatchObject({
      kind: 'environment',
      message: expect.stringMatching(/^groups\.a: "1-" is neither/),
    });
  });
});

describe('nodes of a run', () => {
  test('by how it went for them', () => {
    const dir = scratch();
    storeRun(dir, RUN, 'finished');
    const select = resolver({}, dir);
    expect(['@ok:last', '@failed:last', '@skipped:last', '@all:last'].map(select)).toEqual(['1', '2', '3', '1-3']);
    expect(select(`@all:${RUN.slice(0, 12)} ~@ok:last-load`)).toBe('2-3');
  });

  test('of a run that died, what it did not finish was skipped; of one that lives, nothing is yet', () => {
    const dir = scratch();
    storeRun(dir, RUN, 'cut');
    expect(resolver({}, dir)('@skipped:last')).toBe('3');
    storeRun(dir, '20261121-023012-load-0001', 'cut', { process: alive() });
    expect(['@skipped:last', '@ok:last', '@all:last'].map(resolver({}, dir))).toEqual(['', '1', '1-3']);
  });

  test('that is not there, or asked for in another way', () => {
    const dir = scratch();
    expect(failure({}, '@ok:last', dir).message).toMatch(/no run .* yet/);
    storeRun(dir, RUN, 'finished', { targets: ['node7'] });
    expect(failure({}, '@ok:2025', dir)).toMatchObject({ kind: 'usage', hint: expect.stringContaining(RUN) });
    expect(failure({}, '@faild:last', dir).hint).toBe('did you mean @failed:last?');
    expect(failure({}, '@xxxxxxxxx:last', dir).hint).toContain('@failed:RUN');
    expect(failure({}, '@all:last', dir).message).toContain('"node7"');
    expect(failure({}, '@ok:last', null)).toMatchObject({ kind: 'environment' });
    expect(failure({}, '@ok:\u001b[2J', dir).message).not.toContain('\u001b');
  });
});
