import { closeSync, copyFileSync, openSync, readdirSync, unlinkSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { resultText } from '../../src/monitor/result-text.js';
import type { ImagingEvent } from '../../src/events/types.js';
import { sectorToCorrupt } from '../../src/testbed/corruption.js';
import { stampOfImage } from '../../src/images/stamp.js';
import { run, type Finished } from '../helpers/cli.js';
import { testbedUp, type ChildTestbed } from '../helpers/testbed.js';

const failures = (events: ImagingEvent[]): string[] =>
  events.flatMap((event) => (event.type === 'target.failed' ? [`${event.target} ${event.step} ${event.code}`] : [])).sort();
const details = (events: ImagingEvent[]): (string | null)[] =>
  events.flatMap((event) => (event.type === 'target.done' ? [resultText(event.result, event.target)] : []));

describe('disks that hold something else than was written', () => {
  const PLACES = { fit01: 0, fit02: 37, fit03: 66.6, fit04: 100 };
  let testbed: ChildTestbed;
  let runs: Record<'full' | 'sample' | 'none', Finished>;
  beforeAll(async () => {
    const faults = Object.entries(PLACES).flatMap(([node, percent]) => ['--fault', `${node}:corrupt-at:${percent}`]);
    testbed = await testbedUp(5, '--size', '64', ...faults); // more data than a sample reads whole
    const load = (mode: string, nodes: string[]): Promise<Finished> =>
      testbed.run('imaging-load', [...nodes, '--verify', mode, '--progress', 'json']);
    runs = { none: await load('none', ['4']), sample: await load('sample', ['1', '4', '5']), full: await load('full', ['1-5']) };
  }, 60_000);
  afterAll(() => testbed.close());

  test('full finds every one, and the sector', async () => {
    const { code, events } = runs.full;
    expect(code).toBe(1);
    expect(failures(events)).toEqual(['fit01', 'fit02', 'fit03', 'fit04'].map((node) => `${node} verify verify-mismatch`));
    for (const [node, percent] of Object.entries(PLACES)) {
      const failure = events.find((event) => event.type === 'target.failed' && event.target === node);
      const sector = await sectorToCorrupt(join(testbed.dir, 'images/demo.ndz'), percent);
      expect(failure?.type === 'target.failed' && failure.message).toContain(
        `(sector ${sector}) are not what the image has there; 1 of the `,
      );
    }
    expect(details(events)).toEqual([expect.stringMatching(/^\d+\.\d MB written at .*; verified: all \d+\.\d MB read back$/)]);
    const progress = events.flatMap((event) =>
      event.type === 'target.progress' && event.target === 'fit05' ? [event.doneBytes / event.totalBytes] : [],
    );
    expect(progress.filter((share) => share === 1).length).toBeGreaterThanOrEqual(2); // written, then read back
    expect(testbed.links()).toEqual([]);
  });

  test('a sample reads the first and the last region, and 64 ranges between', () => {
    expect(failures(runs.sample.events)).toEqual(['fit01 verify verify-mismatch', 'fit04 verify verify-mismatch']);
    expect(details(runs.sample.events)).toEqual([expect.stringMatching(/; verified: \d+ ranges, \d+\.\d MB of \d+\.\d MB read back$/)]);
  });

  test('none reads nothing', () => {
    expect(runs.none.code).toBe(0);
    expect(runs.none.events.some((event) => event.type === 'target.step' && event.step === 'verify')).toBe(false);
    expect(details(runs.none.events)).toEqual([expect.not.stringContaining('verif')]);
  });

  test('which: what runs, what was loaded, and what nobody knows', async () => {
    const whole = await testbed.run('imaging-which', ['5', '--json']);
    expect(whole).toMatchObject({ code: 0, stderr: '' });
    const answer: unknown = JSON.parse(whole.stdout);
    const started = runs.full.events.find((event) => event.type === 'run.started');
    expect(answer).toMatchObject({
      node: 'fit05',
      image: 'demo',
      load: { run: started?.run, name: 'default', verify: 'full', booted: true, digest: expect.stringMatching(/^sha256:[0-9a-f]{64}$/) },
      cleanSince: true,
    });
    await testbed.run('imaging-off', ['4', '5']);
    const off = await testbed.run('imaging-which', ['4-5', '--progress', 'quiet']);
    expect(off.code).toBe(1);
    const [bad, good] = off.stdout.split('\n');
    expect(bad).toMatch(
      /^fit04:unknown \(ssh 127\.0\.3\.4:\d+ refused the connection; a load of default \(run \S+ of \S+\) began .* and did not end well\)$/,
    );
    expect(good).toMatch(
      /^fit05:default \(on its disk: loaded .* by .*, run \S+, read back, reset or switched off since; ssh 127\.0\.3\.5:\d+ refused the connection\)$/,
    );
    expect(off.stderr).toMatch(/unknown-image/);
    expect((await testbed.run('imaging-which', ['4', '--json'])).stdout).toMatch(/^\{"node":"fit04","image":null,.*"why":"ssh .*"\}\n$/);
  });
});

describe('one small node', () => {
  let testbed: ChildTestbed;
  beforeAll(async () => {
    testbed = await testbedUp(1, '--size', '12');
  });
  afterAll(() => testbed.close());

  test('a system that shows another stamp than the image has is the wrong one', async (context) => {
    const images = join(testbed.dir, 'images');
    if ((await stampOfImage(join(images, 'demo.ndz'))) === null)
      return context.skip('no mke2fs here, so the demo image has no file system');
    // the emulated system shows the first stamp on its disk: one before the partition makes it another system than the image's
    copyFileSync(join(images, 'demo.img'), join(images, 'other.img'));
    const fd = openSync(join(images, 'other.img'), 'r+');
    writeSync(fd, '2020-01-01@00:00 - node fit99 - image something-else - by mallory\n', 100 * 512);
    closeSync(fd);
    expect((await testbed.run('imaging-image', ['zip', '-q', join(images, 'other.img'), join(images, 'other.ndz')])).code).toBe(0);
    const wrong = await testbed.run('imaging-load', ['-i', 'other', '1', '-u', '--progress', 'json']);
    expect(failures(wrong.events)).toEqual(['fit01 ssh wrong-image']);
    const failed = wrong.events.find((event) => event.type === 'target.failed');
    expect(failed?.type === 'target.failed' && failed.message).toMatch(
      /its stamp is '.*something-else.*'; the image's is '.*image demo.*'/,
    );
    const right = await testbed.run('imaging-load', ['-i', 'demo', '1', '-u', '--progress', 'json']);
    expect(details(right.events)).toEqual([expect.stringMatching(/; verified: all .* read back; ssh OK, up \d s, running demo$/)]);
    expect((await testbed.run('imaging-which', ['1'])).stdout).toMatch(
      /^fit01:demo \(saved \d{4}-\d\d-\d\d by imaging, load run \S+-load-\S+\)\n$/,
    );
  }, 60_000);

  // the last: the testbed is not the same afterwards
  test('with a PXE system that has no digest program, full fails and a sample says so', async () => {
    const toolbox = join(testbed.dir, 'toolbox');
    for (const name of readdirSync(toolbox)) if (/sum$/.test(name)) unlinkSync(join(toolbox, name));
    const full = await testbed.run('imaging-load', ['1', '--verify', 'full', '--progress', 'json']);
    expect(failures(full.events)).toEqual(['fit01 verify verify-impossible']);
    const sample = await testbed.run('imaging-load', ['1', '--progress', 'json']);
    expect(sample.code).toBe(0);
    expect(details(sample.events)).toEqual([expect.stringMatching(/; not verified: the PXE system of fit01 has no sha1sum/)]);
    expect((await testbed.run('imaging-off', ['1'])).code).toBe(0);
    expect((await testbed.run('imaging-which', ['1'])).stdout).toMatch(/not read back/);
  }, 60_000);
});

test('a scripted frisbee writes nothing: the testbed switches reading back off, and says so', async () => {
  const { stdout, code } = await run('imaging-testbed', [
    'run',
    '1',
    '--frisbee',
    'scripted',
    '--',
    'sh',
    '-c',
    'imaging-config frisbee; imaging-load 1',
  ]);
  expect(code).toBe(0);
  expect(stdout).toMatch(/verify = none +; /);
});
