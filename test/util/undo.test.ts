import { expect, test } from 'vitest';
import { UndoStack } from '../../src/util/undo.js';

test('last in, first out; each once; a failing one does not stop the others', async () => {
  const seen: string[] = [];
  const undo = new UndoStack();
  undo.push('first', () => void seen.push('first'));
  undo.push('bad', () => Promise.reject(new Error('no room')));
  const early = undo.push('early', () => void seen.push('early'));
  undo.push('last', () => void seen.push('last'));
  await early();
  expect(await undo.run()).toEqual(['bad: no room']);
  expect(seen).toEqual(['early', 'last', 'first']);
  expect(await undo.run()).toEqual([]);
});

test('an action that is under way is waited for', async () => {
  const undo = new UndoStack();
  let finish = (): void => {};
  let done = false;
  const now = undo.push('slow', async () => {
    await new Promise<void>((resolve) => (finish = resolve));
    done = true;
  });
  const running = now();
  const all = undo.run();
  finish();
  await all;
  expect(done).toBe(true);
  await running;
});

test('one that never ends is given up after its deadline', async () => {
  const undo = new UndoStack(20);
  undo.push('stuck', () => new Promise<void>(() => {}));
  expect(await undo.run()).toEqual([expect.stringMatching(/^stuck: still busy after/)]);
});
