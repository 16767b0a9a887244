import { expect, test } from 'vitest';
import { parseListen } from '../../../src/monitor/live/listen-output.js';
import { checkWebsocketUrl } from '../../../src/monitor/live/websocket-output.js';
import { watchRows, type WatchShown } from '../../../src/cli/monitor/watch-rows.js';
import { changeText, conditionOf } from '../../../src/cli/monitor/watch-text.js';
import { firstView } from '../../../src/monitor/view.js';
import { unseen, type NodeView } from '../../../src/events/node-view.js';

const NOW = 1_000_000;
const off: NodeView = { ...unseen(0), cmc: 'off', usrp: 'off', ping: false, ssh: 'no' };
const up: NodeView = {
  ...off,
  cmc: 'on',
  ping: true,
  ssh: 'yes',
  osRelease: 'Ubuntu 24.04',
  image: '2026-11-26@05:00 - node fit07 - image mine - by alice',
  bootId: 'b',
  bootedAt: NOW - 3_700_000,
};
const held: NodeView = { ...off, cmc: 'on', holder: { run: 'r1', login: 'alice', host: 'faraday', pid: 1, at: 0 } };

function rows(nodes: Record<string, NodeView>, width: number, height: number, shown: Partial<WatchShown> = {}): string[] {
  return watchRows(
    {
      nodes: new Map(Object.entries(nodes)),
      view: firstView,
      keys: false,
      nowMs: NOW,
      notes: [],
      fold: (names) => names.join('+'),
      changesOf: () => [],
      ...shown,
    },
    width,
    height,
  ).map(({ text }) => text);
}

test('a line for each node, those in trouble first', () => {
  const lines = rows({ fit01: off, fit02: up, fit03: { ...off, cmc: 'silent', usrp: null }, fit04: held }, 100, 24);
  expect(lines[0]).toMatch(/^imaging-monitor \d\d:\d\d:\d\d {2}1 in trouble, 1 held, 1 up, 1 off of 4$/);
  expect(lines.slice(1)).toEqual([
    '! fit03  silent usrp ?   -',
    '> fit04  on     usrp off -        held by alice (run r1)',
    '+ fit02  on     usrp off ssh      mine Ubuntu 24.04  up 1:01:00',
    '. fit01  off    usrp off -',
  ]);
});

test('a narrow terminal gets fewer words', () => {
  expect(rows({ fit01: off, fit02: { ...up, bootedAt: NOW - 5_000 } }, 40, 12, { keys: true })).toEqual([
    '1 up, 1 off of 2',
    '+ fit02  on     usrp off ssh      mine ~',
    '. fit01  off    usrp off -',
    'q  f  l  ?: help',
  ]);
});

test('more nodes than lines: those that are alike share one; never as tall as the terminal', () => {
  const nodes = Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`fit${i}`, i % 10 === 0 ? off : up]));
  const lines = rows(nodes, 80, 24);
  expect(lines).toHaveLength(3);
  expect(lines[1]).toMatch(/^\+ +90 {2}fit1\+fit2\S*~ {2}on +usrp off ssh +mine Ubuntu/);
  for (const [width, height] of [
    [80, 24],
    [40, 5],
    [20, 3],
    [200, 60],
  ] as const) {
    const all = rows(Object.fromEntries(Object.keys(nodes).map((name, i) => [name, { ...up, osRelease: `System ${i}` }])), width, height, {
      keys: true,
      notes: ['one'],
    });
    expect(all.length).toBeLessThanOrEqual(height - 2);
    expect(all.every((line) => line.length <= width)).toBe(true);
  }
});

test('a node that stays between two states is in trouble', () => {
  const coming: NodeView = { ...off, cmc: 'on', since: NOW - 5_000 };
  expect(conditionOf(coming, NOW)).toBe('coming');
  expect(conditionOf(coming, NOW + 120_000)).toBe('trouble');
  expect(conditionOf({ ...up, cmc: 'off', since: NOW }, NOW + 120_001)).toBe('trouble');
});

test('changes in words', () => {
  expect(changeText({ was: { cmc: 'on' }, now: { cmc: 'off' } })).toBe('power off');
  expect(changeText({ was: { ssh: 'no', image: null }, now: { ssh: 'yes', osRelease: 'Ubuntu', image: up.image } })).toBe(
    'ssh, Ubuntu, image mine',
  );
  expect(changeText({ was: { bootId: 'a' }, now: { bootId: 'b' } })).toBe('has rebooted');
  expect(changeText({ was: { holder: held.holder }, now: { holder: null } })).toBe('held no more');
});

test('addresses', () => {
  expect(parseListen('9000')).toEqual({ host: '127.0.0.1', port: 9000 });
  expect(parseListen('[::1]:9')).toEqual({ host: '::1', port: 9 });
  expect(parseListen('0.0.0.0:80')).toEqual({ host: '0.0.0.0', port: 80 });
  for (const bad of ['', 'x', '70000', 'host:', '1.2.3.4']) expect(() => parseListen(bad), bad).toThrow(/--listen/);
  expect(checkWebsocketUrl('wss://example.org/n').host).toBe('example.org');
  for (const bad of ['http://x', 'x', 'ws:']) expect(() => checkWebsocketUrl(bad), bad).toThrow(/--websocket/);
});
