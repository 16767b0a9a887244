import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ImagingEvent } from '../../src/events/types.js';
import { scratch, type Finished } from '../helpers/cli.js';
import { testbedUp, type ChildTestbed } from '../helpers/testbed.js';

let testbed: ChildTestbed;
let extra: string;
beforeAll(async () => {
  testbed = await testbedUp(4, '--size', '2', '--boot', '0.05', '--on', '--fault', 'fit04:cmc-refused');
  extra = join(scratch(), 'more.conf');
  writeFileSync(extra, `[groups]\ngood = 1-3\n[runs]\nprometheus_file = ${join(testbed.dir, 'imaging.prom')}\n`);
  testbed.env.IMAGING_CONFIG += `:${extra}`;
});
afterAll(() => testbed.close());

const runs = (...args: string[]): Promise<Finished> => testbed.run('imaging-runs', args);
const failedNodes = (events: ImagingEvent[]): string[] => events.flatMap((event) => (event.type === 'target.failed' ? [event.target] : []));

describe('quarantine', () => {
  let config: Record<string, string>;
  beforeAll(async () => {
    for (let times = 0; times < 2; times += 1) await testbed.run('imaging-load', ['4', '--progress', 'quiet']);
    const file = join(scratch(), 'quarantine.conf');
    writeFileSync(file, '[nodes]\nquarantine_after = 2\n');
    config = { IMAGING_CONFIG: `${testbed.env.IMAGING_CONFIG}:${file}` };
  });

  test('a node that failed again and again is skipped, with the reason, and the exit code says that it is not done', async () => {
    const { code, events, stderr } = await testbed.run('imaging-load', ['1', '4', '--progress', 'json'], config);
    expect(stderr).toBe('');
    expect(code).toBe(1);
    expect(events[0]).toMatchObject({ targets: ['fit01', 'fit04'] });
    expect(events).toContainEqual(
      expect.objectContaining({
        type: 'target.skipped',
        target: 'fit04',
        reason: expect.stringMatching(/in quarantine: failed \d+ times in a row, the last at reset \[cmc-refused\]/),
      }),
    );
    expect(events.some((event) => event.type === 'run.warning' && /--include-quarantined.*imaging-runs release 4/.test(event.text))).toBe(
      true,
    );
    expect(events.at(-1)).toMatchObject({ ok: ['fit01'], failed: [], skipped: ['fit04'], exitCode: 1 });
    expect((await runs('show')).stdout).toMatch(/skipped +1 +4\n +4 +in quarantine/);
    expect(await testbed.run('imaging-save', ['4'], config)).toMatchObject({
      code: 3,
      stderr: expect.stringContaining('every selected node is in quarantine: 4'),
    });
  });

  test('unless it is included, asked for its status, or released', async () => {
    const included = await testbed.run('imaging-load', ['4', '--include-quarantined', '--progress', 'json'], config);
    expect(failedNodes(included.events)).toEqual(['fit04']);
    expect((await testbed.run('imaging-status', ['4'], config)).stdout).toBe('reboot04:status N/A\n');
    expect(await testbed.run('imaging-runs', ['release', '3-4'], config)).toMatchObject({
      code: 0,
      stdout: 'released: 4\nhad no failures that count towards quarantine: 3\n',
    });
    expect(failedNodes((await testbed.run('imaging-load', ['4', '--progress', 'json'], config)).events)).toEqual(['fit04']);
  });
});
