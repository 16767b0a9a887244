import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createSocket } from 'node:dgram';
import { join } from 'node:path';
import { once } from 'node:events';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { bin, scratch } from '../helpers/cli.js';
import { testbedUp, type ChildTestbed } from '../helpers/testbed.js';

// frisbee.engine = frisbeed with a server program in a process of its own: the drop-in one, on loopback
let testbed: ChildTestbed;
let env: Record<string, string>;
beforeAll(async () => {
  testbed = await testbedUp(2, '--boot', '0.4');
  const extra = join(scratch(), 'engine.conf');
  writeFileSync(extra, `[frisbee]\nengine = frisbeed\nserver = ${bin}/imaging-frisbeed\n`);
  env = { IMAGING_CONFIG: `${testbed.env.IMAGING_CONFIG}:${extra}`, IMAGING_FRISBEE_LOOPBACK: '1' };
});
afterAll(() => testbed.close());

/** Command lines of this testbed's server programs that run. */
function serversLeft(): string[] {
  const lines = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'latin1').replaceAll('\0', ' ');
      } catch {
        return ''; // it ended meanwhile
      }
    });
  return lines.filter((line) => line.includes('imaging-frisbeed') && line.includes(testbed.dir));
}

test('loads, and the server is gone afterwards', async () => {
  const { code, events } = await testbed.run('imaging-load', ['1-2', '--progress', 'json'], env);
  expect(code).toBe(0);
  expect(events.find((event) => event.type === 'server.started')).toMatchObject({ engine: 'frisbeed' });
  expect(serversLeft()).toEqual([]);
});

test('a taken port means the next slot', async () => {
  const first = await testbed.run('imaging-load', ['1', '--progress', 'json'], env);
  const started = first.events.find((event) => event.type === 'server.started');
  const port = started?.type === 'server.started' ? started.port : 0;
  const squatter = createSocket('udp4');
  squatter.bind(port, '127.0.0.1');
  await once(squatter, 'listening');
  try {
    const { code, events } = await testbed.run('imaging-load', ['1', '--progress', 'json'], env);
    expect(code).toBe(0);
    expect(events.find((event) => event.type === 'server.started')).toMatchObject({ port: port + 1 });
  } finally {
    squatter.close();
  }
});

test('a program that is not there is exit 4, and no node was touched', async () => {
  const extra = join(scratch(), 'none.conf');
  writeFileSync(extra, '[frisbee]\nengine = frisbeed\nserver = /nonexistent/frisbeed\n');
  const { code, stderr, events } = await testbed.run('imaging-load', ['1', '--progress', 'json'], {
    ...env,
    IMAGING_CONFIG: `${testbed.env.IMAGING_CONFIG}:${extra}`,
  });
  expect(code).toBe(4);
  expect(stderr).toContain('/nonexistent/frisbeed');
  expect(events.flatMap((event) => (event.type === 'target.step' ? [event.step] : []))).toEqual(['lock']);
});

test('a server that is left by kill -9 is ended by the next command', async () => {
  const load = testbed.start('imaging-load', ['1', '--progress', 'json'], env);
  await load.event((event) => event.type === 'target.step' && event.step === 'boot');
  load.child.kill('SIGKILL');
  await load.finished;
  expect(serversLeft()).not.toEqual([]);
  const next = await testbed.run('imaging-load', ['1', '--progress', 'json'], env);
  expect(next.code).toBe(0);
  expect(next.events.some((event) => event.type === 'run.note' && /frisbeed.*left behind/.test(event.text))).toBe(true);
  expect(serversLeft()).toEqual([]);
});

test('Ctrl-C ends it', async () => {
  const load = testbed.start('imaging-load', ['1-2', '--progress', 'json'], env);
  await load.event((event) => event.type === 'target.step' && event.step === 'boot');
  load.child.kill('SIGINT');
  expect((await load.finished).code).toBe(130);
  expect(serversLeft()).toEqual([]);
});
