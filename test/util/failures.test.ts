import { expect, test } from 'vitest';
import { Failure } from '../../src/util/errors.js';
import { failureData, failureFrom, failures } from '../../src/util/failures.js';

const said = { meaning: 'It is so.', todo: 'Look at it.' };
const fail = failures('Tests', {
  'cup-broken': { blame: 'node', cure: 'person', ...said },
  'cup-late': { blame: 'run', cure: 'person', ...said, refusal: true },
  'http-*': { blame: 'site', cure: 'again', ...said },
  '*-late': { blame: 'site', cure: 'again', ...said },
});

test('a failure has what its table says of the code', () => {
  const cause = new Error('no');
  const failure = fail('cup-broken', 'the cup broke', 'take another', { cause });
  expect(failure).toBeInstanceOf(Failure);
  expect(failure).toMatchObject({
    code: 'cup-broken',
    blame: 'node',
    cure: 'person',
    message: 'the cup broke',
    hint: 'take another',
    cause,
  });
});

test('a pattern has any text where its star is, but none; a code without a star goes before', () => {
  const seen = (['http-404', 'tea-late', 'cup-late'] as const).map((code) => fail(code, '')).map(({ code, blame }) => [code, blame]);
  expect(seen).toEqual([
    ['http-404', 'site'],
    ['tea-late', 'site'],
    ['cup-late', 'run'],
  ]);
  expect(fail.spec('cup-late')).toMatchObject({ refusal: true });
  for (const code of ['http-', '-late', 'toString', '']) expect(fail.spec(code), code).toBeUndefined();
});

test('what is not in the table does not compile, and cannot be made', () => {
  // @ts-expect-error: not in the table
  expect(() => fail('cup-brokn', '')).toThrow(TypeError);
  // @ts-expect-error: not in the table
  expect(fail.is(fail('cup-broken', ''), 'cup-brokn')).toBe(false);
});

test('is tells one code from the others, and failures from other errors', () => {
  expect(fail.is(fail('cup-broken', ''), 'cup-late', 'cup-broken')).toBe(true);
  expect(fail.is(fail('cup-broken', ''), 'cup-late')).toBe(false);
  expect(fail.is(Object.assign(new Error(), { code: 'cup-broken' }), 'cup-broken')).toBe(false);
  expect(fail.is(null, 'cup-broken')).toBe(false);
});

test('who knows more says it with another message, or another blame; the rest stays', () => {
  const failure = fail('cup-broken', 'it broke', 'mend it');
  expect(failure.with({ message: 'twice' })).toMatchObject({ ...failureData(failure), message: 'twice', cause: failure });
  expect(failure.with({ blame: 'site', cure: 'again' })).toMatchObject({ ...failureData(failure), blame: 'site', cure: 'again' });
});

test('as data it goes from thread to thread, with what follows from it', () => {
  for (const failure of [fail('cup-late', 'late'), fail('cup-broken', 'broken', 'mend it').with({ blame: 'site' })]) {
    const there = failureFrom(structuredClone(failureData(failure)));
    expect(there).toBeInstanceOf(Failure);
    expect(failureData(there)).toEqual(failureData(failure));
  }
});
