import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { POWER_VERBS, parsePowerAnswer, type PowerVerb } from '../../src/power/answer.js';

describe('parsePowerAnswer', () => {
  const good: [PowerVerb, string, 'on' | 'off' | null, boolean][] = [
    ['status', 'on', 'on', false],
    ['status', 'off\r\n', 'off', false],
    ['on', 'ok', 'on', false],
    ['on', 'already on', 'on', true],
    ['off', ' OK \n', 'off', false],
    ['off', 'already off', 'off', true],
    ['reset', 'ok', null, false],
    ['info', 'CMC v3\r\nbuilt 2015\r\n', null, false],
    ['usrpstatus', 'usrpon', 'on', false],
    ['usrpstatus', 'usrpoff', 'off', false],
    ['usrpon', 'ok', 'on', false],
    ['usrpoff', 'ok', 'off', false],
    ['usrpoff', 'already off', 'off', true],
  ];
  test.each(good)('%s answered %j is %s', (verb, text, state, already) => {
    expect(parsePowerAnswer(verb, text)).toEqual({ type: 'answer', answer: { verb, text: text.trim(), state, already } });
  });

  const garbled: [PowerVerb, string][] = [
    ['status', ''],
    ['status', 'ok'],
    ['status', 'on off'],
    ['status', '<html>on</html>'],
    ['on', 'on'],
    ['on', 'already off'],
    ['reset', 'already on'],
    ['reset', ''],
    ['info', ' \r\n'],
    ['usrpstatus', 'ok'],
    ['off', 'failed'],
  ];
  test.each(garbled)('%s answered %j is garbled', (verb, text) => {
    expect(parsePowerAnswer(verb, text)).toEqual({ type: 'garbled' });
  });

  test.each(POWER_VERBS)('%s answered busy is busy', (verb) => {
    expect(parsePowerAnswer(verb, 'CM card busy\r\n')).toEqual({ type: 'busy' });
  });

  test('property: never throws, and never makes a state of what is not exactly a word the cards say', () => {
    fc.assert(
      fc.property(fc.constantFrom(...POWER_VERBS), fc.string(), (verb, text) => {
        const parsed = parsePowerAnswer(verb, text);
        if (parsed.type === 'answer' && parsed.answer.state !== null)
          expect(text.trim().toLowerCase()).toMatch(/^(ok|(usrp)?(on|off)|already (usrp)?(on|off))$/);
      }),
    );
  });
});
