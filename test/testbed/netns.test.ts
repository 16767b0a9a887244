import { join } from 'node:path';
import { execFile, execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestbed, type Testbed } from '../../src/testbed/testbed.js';
import { verifyDisks } from '../../src/testbed/verify.js';
import { executablePath } from '../../src/util/dist.js';

/** Root, iproute2 and a kernel that lets us: what network namespaces take. */
const missing = ((): string | null => {
  if (process.getuid?.() !== 0) return 'not root';
  try {
    execFileSync('unshare', ['-n', 'ip', 'link', 'add', 'x', 'type', 'bridge'], { stdio: 'ignore' });
    return null;
  } catch {
    return 'no iproute2, or no right to make network namespaces';
  }
})();
/** The 2015 frisbee client, when IMAGING_REAL_FRISBEE names the folder that holds it. */
const realFolder = process.env.IMAGING_REAL_FRISBEE;
const realFrisbee = realFolder ? join(realFolder, 'frisbee') : undefined;

const clients: [string, string | undefined][] = [['our own client', undefined]];
if (realFrisbee !== undefined && existsSync(realFrisbee)) clients.push(['the 2015 client', realFrisbee]);

describe.skipIf(missing !== null).each(clients)(`nodes in network namespaces${missing ? ` (skipped: ${missing})` : ''}, with %s`, (_, frisbeeBin) => {
  let testbed: Testbed;
  beforeAll(async () => {
    testbed = await startTestbed({
      count: 2, dir: null, faults: [], shell: 'real', frisbee: 'real', imageBytes: 16 << 20, bootMs: 50, osBootMs: 50, netns: true, ...(frisbeeBin === undefined ? {} : { frisbeeBin }),
    });
  });
  afterAll(async () => {
    expect(await testbed.close()).toEqual([]);
    expect(execFileSync('ip', ['netns', 'list'], { encoding: 'utf8' })).not.toContain(`imaging-${process.pid}-`);
    expect(existsSync(`/etc/netns/imaging-${process.pid}-gateway`)).toBe(false);
  });

  const onGateway = (...command: string[]): Promise<{ code: number; output: string }> => {
    const [program = '', ...args] = testbed.onGateway(command);
    return new Promise((resolve) => {
      execFile(program, args, { env: { ...process.env, ...testbed.env } }, (error, stdout, stderr) => resolve({ code: error ? Number(error.code) : 0, output: stdout + stderr }));
    });
  };

  it('are loaded from the gateway on the ports of real hardware', async () => {
    const load = await onGateway(process.execPath, executablePath, 'load', '-i', 'demo', '1-2', '--progress', 'plain');
    expect(load).toMatchObject({ code: 0 });
    expect((await verifyDisks(testbed)).map(({ ok }) => ok)).toEqual([true, true]);
    const wait = await onGateway(process.execPath, executablePath, 'wait', '1-2');
    expect(wait.output).toContain('fit01');
    expect(wait.code).toBe(0);
    expect(testbed.status()).toEqual({ nodes: [{ node: 'fit01', phase: 'os' }, { node: 'fit02', phase: 'os' }], problems: [] });
  });

  it('are known to the gateway by name', async () => {
    expect((await onGateway('getent', 'hosts', 'fit01', 'reboot02')).output).toMatch(/192\.168\.3\.1 +fit01\n192\.168\.1\.2 +reboot02/);
  });
});
