import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ImagingEvent } from '../../src/events/types.js';
import { testbedUp, type ChildTestbed } from '../helpers/testbed.js';

const atStep =
  (node: string, step: string) =>
  (event: ImagingEvent): boolean =>
    event.type === 'target.step' && event.target === node && event.step === step;
const failures = (events: ImagingEvent[]) =>
  events.flatMap((event) => (event.type === 'target.failed' ? [[event.target, event.step, event.code]] : []));

describe('one writer per node', () => {
  let testbed: ChildTestbed;
  beforeAll(async () => {
    testbed = await testbedUp(4, '--fault', 'all:slow-disk:12', '--fault', 'fit04:slow-disk:4');
  });
  afterAll(() => testbed.close());

  test('a node in the hands of another run fails at its lock, naming the holder; the others go on; nothing of the first is touched', async () => {
    const first = testbed.start('imaging-load', ['1-2', '--progress', 'json']);
    const { run } = await first.event(atStep('fit02', 'write'));
    const [mixed, refused] = await Promise.all([
      testbed.run('imaging-load', ['2-3', '--progress', 'json']),
      testbed.run('imaging-save', ['1-2', '--progress', 'json']),
    ]);
    expect(mixed.code).toBe(1);
    expect(failures(mixed.events)).toEqual([['fit02', 'lock', 'node-busy']]);
    const busy = mixed.events.find((event) => event.type === 'target.failed');
    expect(busy).toMatchObject({
      message: expect.stringMatching(new RegExp(`in the hands of run ${run} of \\S+ \\(pid ${first.child.pid} on .+, since 20`)),
    });
    expect(refused.code).toBe(3);
    expect(failures(refused.events).sort()).toEqual([
      ['fit01', 'lock', 'node-busy'],
      ['fit02', 'lock', 'node-busy'],
    ]);
    expect((await first.finished).code).toBe(0);
    expect(testbed.links()).toEqual([]);
  });

  test('with -n too, and with --wait-lock one comes after the other', async () => {
    const first = testbed.start('imaging-load', ['4', '--progress', 'json']);
    await first.event(atStep('fit04', 'write'));
    const second = testbed.start('imaging-load', ['4', '--wait-lock', '60', '--progress', 'json']);
    const refused = await testbed.run('imaging-load', ['-n', '4', '--progress', 'json']);
    expect([refused.code, failures(refused.events)]).toEqual([3, [['fit04', 'lock', 'node-busy']]]);
    await second.event((event) => event.type === 'target.note' && event.text.includes('in the hands of'));
    expect((await first.finished).code).toBe(0);
    const { code, events } = await second.finished;
    expect(code).toBe(0);
    expect(events.some(atStep('fit04', 'pxe'))).toBe(true);
    expect(testbed.links()).toEqual([]);
  });
});

test('nodes with a rate of their own get a session of their own, and both rates are kept', async () => {
  const testbed = await testbedUp(3, '--size', '24');
  try {
    const SLOW_MIBPS = 20;
    appendFileSync(join(testbed.dir, 'imaging.conf'), `\n[node 1]\nbandwidth = ${SLOW_MIBPS}\n`);
    const { code, events } = await testbed.run('imaging-load', ['1-3', '--progress', 'json']);
    expect(code).toBe(0);
    const sessions = events.flatMap((event) => (event.type === 'server.started' ? [event] : [])).sort((a, b) => a.rateBps - b.rateBps); // they open as their nodes are taken
    expect(sessions.map(({ rateBps }) => rateBps)).toEqual([SLOW_MIBPS * 2 ** 20, 300 * 2 ** 20]);
    expect(sessions[0]?.group).not.toBe(sessions[1]?.group);
    const joined = (port: number | undefined) =>
      events.flatMap((event) => (event.type === 'server.rate' && event.port === port ? [event] : []));
    const [slow, fast] = sessions.map(({ port }) => joined(port));
    const measuredBps = (list: typeof slow): number => {
      const [a, b] = [list?.[0], list?.at(-1)];
      return a && b ? ((b.sentBlocks - a.sentBlocks) * 8976 * 1000) / (b.at - a.at) : NaN;
    };
    expect(slow?.length).toBeGreaterThan(1);
    expect(measuredBps(slow)).toBeLessThan(1.1 * SLOW_MIBPS * 2 ** 20);
    expect(Math.max(...(fast ?? []).map(({ rateBps }) => rateBps))).toBeGreaterThan(2 * SLOW_MIBPS * 2 ** 20);
    const done = (node: string): number => events.findIndex((event) => event.type === 'target.done' && event.target === node);
    expect(Math.max(done('fit02'), done('fit03'))).toBeLessThan(done('fit01'));
    expect(events.at(-1)).toMatchObject({ type: 'run.finished', ok: ['fit01', 'fit02', 'fit03'] });
  } finally {
    await testbed.close();
  }
});

test('enough nodes are enough: the rest is given up, named, and nothing is left', async () => {
  const testbed = await testbedUp(4, '--fault', 'fit03:no-boot');
  try {
    const { code, events } = await testbed.run('imaging-load', ['1-4', '--min-success', '75%', '--progress', 'json']);
    expect(code).toBe(0);
    expect(failures(events)).toEqual([['fit03', 'boot', 'given-up']]);
    expect(events.at(-1)).toMatchObject({ type: 'run.finished', ok: ['fit01', 'fit02', 'fit04'], failed: ['fit03'], exitCode: 0 });
    expect(testbed.links()).toEqual([]);
    for (const [args, why] of [
      [['--min-success', '110%'], /110%/],
      [['--min-success', '5'], /up to 4/],
      [['--window', 'many'], /20\/2s/],
      [['--wait-lock', 'long'], /wait-lock/],
      [['--passes', '1.5'], /whole/],
    ] as const) {
      const bad = await testbed.run('imaging-load', ['1-4', ...args]);
      expect(bad.code).toBe(2);
      expect(bad.stderr).toMatch(why);
      expect(bad.stdout).toBe(''); // no run has begun
    }
  } finally {
    await testbed.close();
  }
});

test('resets are spread over the window, and nodes that come later join the same session', async () => {
  const testbed = await testbedUp(4);
  try {
    const { code, events } = await testbed.run('imaging-load', ['1-4', '--window', '2/1s', '--progress', 'json']);
    expect(code).toBe(0);
    const resets = events.filter((event) => event.type === 'target.step' && event.step === 'pxe').map(({ at }) => at);
    expect((resets[2] ?? 0) - (resets[0] ?? 0)).toBeGreaterThanOrEqual(950);
    expect(events.filter((event) => event.type === 'server.started')).toHaveLength(1);
    const stopped = events.find((event) => event.type === 'server.stopped');
    const blocks = (13 * 2 ** 20) / 1024;
    expect(stopped?.type === 'server.stopped' ? stopped.sentBlocks : NaN).toBeLessThan(2.2 * blocks); // the image, and once more what the later ones missed
  } finally {
    await testbed.close();
  }
});
