import { expect, test } from 'vitest';
import { KeyDecoder } from '../../src/monitor/keys.js';
import { firstView, pressKey, type Leaving, type View } from '../../src/monitor/view.js';

const nodes = ['fit20', 'fit01', 'fit02', 'fit12'];

function press(keys: string[], leaving: Leaving = 'asks', from: View = firstView): { view: View; effects: string[] } {
  const effects: string[] = [];
  const view = keys.reduce((before, key) => {
    const { view: after, effect } = pressKey(before, key, nodes, leaving);
    if (effect !== 'none') effects.push(effect);
    return after;
  }, from);
  return { view, effects };
}

test('q asks once more where it would end the run, and any other key goes on', () => {
  expect(press(['q'])).toMatchObject({ view: { mode: 'leave' }, effects: [] });
  expect(press(['q', 'q'])).toMatchObject({ view: { mode: 'list' }, effects: ['leave'] });
  expect(press(['q', 'x', 'l'])).toMatchObject({ view: { mode: 'choose' }, effects: [] });
  expect(press(['q'], 'at-once').effects).toEqual(['leave']);
});

test('a node is chosen by arrows, which stop at the ends, or by its number', () => {
  expect(press(['l']).view).toMatchObject({ mode: 'choose', chosen: 'fit20' });
  expect(press(['l', 'up', 'down', 'down']).view.chosen).toBe('fit02');
  expect(press(['l', 'pagedown', 'down']).view.chosen).toBe('fit12');
  expect(press(['1']).view).toMatchObject({ mode: 'choose', chosen: 'fit01' });
  expect(press(['1', '2']).view.chosen).toBe('fit12');
  expect(press(['1', '2', '0']).view).toMatchObject({ chosen: 'fit12' }); // there is no fit120, nor a fit00
  expect(press(['1', '2', '2']).view.chosen).toBe('fit02'); // no fit122: a new number begins
});

test('enter and l show the chosen node, esc goes back step by step', () => {
  for (const key of ['enter', 'l']) expect(press(['2', key]).view).toMatchObject({ mode: 'one', chosen: 'fit02' });
  expect(press(['2', 'enter', 'escape']).view.mode).toBe('choose');
  expect(press(['2', 'enter', 'escape', 'escape']).view.mode).toBe('list');
});

test('f and ? are switches', () => {
  expect(press(['f']).view.failedOnly).toBe(true);
  expect(press(['f', 'f']).view.failedOnly).toBe(false);
  expect(press(['?']).view.mode).toBe('help');
  expect(press(['?', '?']).view.mode).toBe('list');
  expect(press(['?', 'x']).view.mode).toBe('list');
});

test('no node at all: nothing is chosen', () => {
  expect(pressKey(firstView, 'l', [], 'asks').view.chosen).toBeNull();
  expect(pressKey({ ...firstView, mode: 'choose' }, 'enter', [], 'asks').view.mode).toBe('choose');
});

test('keys out of bytes, cut anywhere', () => {
  const bytes = 'qf\u001b[A\u001b[B\u001bOA\u001b[5~\u001b[1;5Cx\r\u0003\u001a7é';
  const wanted = ['q', 'f', 'up', 'down', 'up', 'pageup', 'x', 'enter', 'interrupt', 'suspend', '7'];
  for (let cut = 0; cut <= bytes.length; cut += 1) {
    const decoder = new KeyDecoder();
    expect([...decoder.push(bytes.slice(0, cut)), ...decoder.push(bytes.slice(cut))]).toEqual(wanted);
  }
});

test('an ESC alone is a key once nothing follows', () => {
  const decoder = new KeyDecoder();
  expect(decoder.push('\u001b')).toEqual([]);
  expect(decoder.pending).toBe(true);
  expect(decoder.flush()).toEqual(['escape']);
  expect(decoder.push('[A')).toEqual(['[', 'A']);
});
