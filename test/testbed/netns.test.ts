import { join } from 'node:path';
import { execFile, execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Inventory } from '../../src/inventory/inventory.js';
import { loadInventory } from '../../src/inventory/read-inventory.js';
import { startTestbed, type InventorySite, type Testbed } from '../../src/testbed/testbed.js';
import { verifyDisks } from '../../src/testbed/verify.js';
import { executablePath, packageRoot } from '../../src/util/dist.js';

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

describe.skipIf(missing !== null).each(clients)(
  `nodes in network namespaces${missing ? ` (skipped: ${missing})` : ''}, with %s`,
  (_, frisbeeBin) => {
    let testbed: Testbed;
    beforeAll(async () => {
      testbed = await startTestbed({
        count: 2,
        dir: null,
        faults: [],
        shell: 'real',
        frisbee: 'real',
        imageBytes: 16 << 20,
        bootMs: 50,
        osBootMs: 50,
        netns: true,
        ...(frisbeeBin === undefined ? {} : { frisbeeBin }),
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
        execFile(program, args, { env: { ...process.env, ...testbed.env } }, (error, stdout, stderr) =>
          resolve({ code: error ? Number(error.code) : 0, output: stdout + stderr }),
        );
      });
    };

    test('are loaded from the gateway on the ports of real hardware', async () => {
      const load = await onGateway(process.execPath, executablePath, 'load', '-i', 'demo', '1-2', '--progress', 'plain');
      expect(load).toMatchObject({ code: 0 });
      expect((await verifyDisks(testbed)).map(({ ok }) => ok)).toEqual([true, true]);
      const wait = await onGateway(process.execPath, executablePath, 'wait', '1-2');
      expect(wait.output).toContain('fit01');
      expect(wait.code).toBe(0);
      expect(testbed.status()).toEqual({
        nodes: [
          { node: 'fit01', phase: 'os' },
          { node: 'fit02', phase: 'os' },
        ],
        problems: [],
      });
    });

    test('are known to the gateway by name', async () => {
      expect((await onGateway('getent', 'hosts', 'fit01', 'reboot02')).output).toMatch(/192\.168\.3\.1 +fit01\n192\.168\.1\.2 +reboot02/);
    });
  },
);

describe.skipIf(missing !== null)('an inventory in network namespaces', () => {
  const site = async (file: string): Promise<InventorySite> => {
    const names = { regularName: 'fit', rebootName: 'reboot' };
    return { names, inventory: await loadInventory(join(packageRoot, 'inventory', file), names) };
  };
  const small = { count: 3, dir: null, faults: [], shell: 'builtin', frisbee: 'real', imageBytes: 12 << 20, netns: true } as const;

  test('has every machine at its addresses, replacements too', async () => {
    const testbed = await startTestbed({ ...small, site: await site('bemol.inventory.json') });
    try {
      expect(testbed.nodes.map((node) => node.name)).toEqual(['fit15', 'fit18', 'fit38']);
      const [program = '', ...args] = testbed.onGateway(['getent', 'hosts', 'fit38', 'reboot15']);
      expect(execFileSync(program, args, { encoding: 'utf8' })).toMatch(/192\.168\.3\.38 +fit38\n192\.168\.1\.15 +reboot15/);
    } finally {
      expect(await testbed.close()).toEqual([]);
    }
  });

  test('with addresses of other networks, or the gateway’s own, is refused', async () => {
    const { inventory, names } = await site('example.json');
    const moved = (ip: string): InventorySite => ({
      names,
      inventory: new Inventory('i.json', [{ ...inventory.nodes[0]!, control: { hostname: 'fit01', ip, mac: '00:03:1d:0e:03:19' } }]),
    });
    await expect(startTestbed({ ...small, count: 1, site: moved('192.168.4.1') })).rejects.toThrow(
      'fit01 has 192.168.4.1; with network namespaces CMC cards are in 192.168.1.0/24 and nodes in 192.168.3.0/24',
    );
    await expect(startTestbed({ ...small, count: 1, site: moved('192.168.3.100') })).rejects.toThrow(
      "fit01 has 192.168.3.100, which is the emulated gateway's address",
    );
  });
});
