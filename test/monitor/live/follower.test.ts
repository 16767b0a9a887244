import { expect, test } from 'vitest';
import { ChangeLog, type WatchMessage } from '../../../src/monitor/live/change-log.js';
import { Follower } from '../../../src/monitor/live/follower.js';
import { unseen, type NodeView } from '../../../src/events/node-view.js';

function watched(): { log: ChangeLog; change(count?: number): void } {
  const state: NodeView = unseen(0);
  const log = new ChangeLog('w', new Map([['fit01', state]]), () => 7);
  const change = (count = 1): void => {
    for (let i = 0; i < count; i += 1)
      log.add({ seq: log.seq + 1, at: log.seq, node: 'fit01', was: {}, now: { cmc: 'on' }, state: { ...state } });
  };
  return { log, change };
}

/** A consumer that takes everything at once, or nothing while it is `stuck`. */
function consumer() {
  const got: string[] = [];
  let waiting = 0;
  const taking = { stuck: false };
  const outlet = {
    send: (text: string) => {
      const message = JSON.parse(text) as WatchMessage; // as: it is ours
      got.push(message.type === 'lost' ? `lost ${message.count}` : `${message.type} ${message.seq}`);
      if (taking.stuck) waiting += text.length;
    },
    waiting: () => waiting,
  };
  const drain = (): void => void (waiting = 0);
  return { got, outlet, taking, drain };
}

test('a new consumer gets a snapshot, then each change once', () => {
  const { log, change } = watched();
  change(2);
  const { got, outlet } = consumer();
  const follower = new Follower(log, outlet, null, true);
  change(2);
  follower.close();
  change();
  expect(got).toEqual(['snapshot 2', 'change 3', 'change 4']);
});

test('one that comes back gets what it has missed', () => {
  const { log, change } = watched();
  change(4);
  const { got, outlet } = consumer();
  new Follower(log, outlet, 2, false);
  expect(got).toEqual(['change 3', 'change 4']);
});

test('what it has missed comes before the snapshot that follows', () => {
  const { log, change } = watched();
  change(2);
  const { got, outlet } = consumer();
  new Follower(log, outlet, 1, true);
  expect(got).toEqual(['change 2', 'snapshot 2']);
});

test('a slow one waits bounded, and gets the rest in order once it takes more', () => {
  const { log, change } = watched();
  const { got, outlet, taking, drain } = consumer();
  const follower = new Follower(log, outlet, null, false);
  taking.stuck = true;
  change(4_000);
  expect(got.length).toBeLessThan(2_000);
  expect(outlet.waiting()).toBeLessThan(300 * 1024);
  taking.stuck = false;
  drain();
  follower.pump();
  expect(got).toEqual(Array.from({ length: 4_000 }, (_, index) => `change ${index + 1}`));
});

test('one that is too slow for the log is told how much it lost, and gets a snapshot', () => {
  const { log, change } = watched();
  const { got, outlet, taking, drain } = consumer();
  const follower = new Follower(log, outlet, null, false);
  taking.stuck = true;
  change(20_000);
  const sent = got.length;
  taking.stuck = false;
  drain();
  follower.pump();
  expect(got.slice(sent)).toEqual([`lost ${20_000 - sent}`, 'snapshot 20000']);
  change();
  expect(got.at(-1)).toBe('change 20001');
});

test('the log keeps the newest changes of a node, newest first', () => {
  const { log, change } = watched();
  change(10_000);
  expect(log.changesOf('fit01', 2).map(({ seq }) => seq)).toEqual([10_000, 9_999]);
  expect(log.changesOf('fit02', 2)).toEqual([]);
  expect(log.text(1)).toBeUndefined();
  expect(log.text(10_001)).toBeUndefined();
  expect(log.after(9_999).map(({ seq }) => seq)).toEqual([10_000]);
});
