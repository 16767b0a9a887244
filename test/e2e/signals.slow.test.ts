import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { NodeStep } from '../../src/workflows/node-steps.js';
import { testbedUp, type ChildTestbed } from '../helpers/testbed.js';

let testbed: ChildTestbed;
beforeAll(async () => {
  testbed = await testbedUp(3, '--boot', '0.4');
});
afterAll(() => testbed.close());

/** UDP sockets of the group and port range that this testbed's loads use. */
function serverSockets(port: number): string[] {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  return readFileSync('/proc/net/udp', 'latin1')
    .split('\n')
    .filter((line) => line.trim().split(/\s+/)[1]?.endsWith(suffix));
}

const phases: NodeStep[] = ['reset', 'boot', 'write', 'verify', 'reboot'];
const signals = [
  ['SIGINT', 130],
  ['SIGTERM', 143],
  ['SIGHUP', 129],
] as const;

// reading back differs from the write in nothing but its text: one signal will do
test.each(phases.flatMap((step) => signals.slice(0, step === 'verify' ? 1 : 3).map(([name, code]) => [step, name, code] as const)))(
  'at %s, %s: exit %i, nothing left',
  async (step, name, code) => {
    const load = testbed.start('imaging-load', ['1-3', '--progress', 'json']);
    const server = await load.event((event) => event.type === 'server.started');
    await load.event((event) => event.type === 'target.step' && event.step === step);
    load.child.kill(name);
    const { code: got, events } = await load.finished;
    expect(got).toBe(code);
    expect(events.at(-1)).toMatchObject({ type: 'run.finished', exitCode: code });
    expect(testbed.links()).toEqual([]);
    if (server.type === 'server.started') expect(serverSockets(server.port)).toEqual([]);
  },
);

test('after kill -9 the next command sweeps', async () => {
  const load = testbed.start('imaging-load', ['1-3', '--progress', 'json']);
  await load.event((event) => event.type === 'target.step' && event.step === 'boot');
  load.child.kill('SIGKILL');
  await load.finished;
  expect(testbed.links().length).toBeGreaterThan(0);
  const next = await testbed.run('imaging-load', ['1', '--progress', 'json']);
  expect(next.code).toBe(0);
  expect(next.events.some((event) => event.type === 'run.note' && /left behind/.test(event.text))).toBe(true);
  expect(testbed.links()).toEqual([]);
  expect(readFileSync(join(testbed.dir, 'imaging.conf'), 'utf8')).toContain('[pxelinux]');
});
