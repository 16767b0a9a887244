import { readlinkSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { FrisbeeServer } from '../../src/frisbee/server.js';
import { nextBootName } from '../../src/testbed/addresses.js';
import { startTestbed, type Testbed } from '../../src/testbed/testbed.js';
import { verifyDisks } from '../../src/testbed/verify.js';
import { classicLoad, cmc, connectWhenUp, serveDemo, sshPort, telnetStatus } from './clients.js';

describe('a load typed by hand on three nodes', () => {
  let testbed: Testbed;
  let server: FrisbeeServer;

  beforeAll(async () => {
    testbed = await startTestbed({
      count: 3,
      dir: null,
      faults: [],
      shell: 'real',
      frisbee: 'real',
      bootMs: 50,
      osBootMs: 50,
      imageBytes: 12 << 20,
    });
    server = await serveDemo(testbed);
  });
  afterAll(async () => {
    await server.stop();
    expect(await testbed.close()).toEqual([]);
  });

  const link = (mac: string): string => join(testbed.dir, 'tftpboot/pxelinux.cfg', nextBootName(mac));

  test('writes the very image on every disk, in the words of the real client', async () => {
    const macs = [1, 2, 3].map((number) => `02:00:00:03:00:0${number}`);
    for (const mac of macs) symlinkSync('pxefrisbee', link(mac));
    expect(macs.map((mac) => readlinkSync(link(mac)))).toEqual(['pxefrisbee', 'pxefrisbee', 'pxefrisbee']);
    for (const number of [1, 2, 3]) expect((await cmc(testbed, number, 'on')).text).toBe('ok');
    const texts = await Promise.all([1, 2, 3].map((number) => classicLoad(testbed, number)));
    for (const mac of macs) rmSync(link(mac));
    const { info } = testbed.demoImage;
    for (const text of texts) {
      expect(text.startsWith('\xff\xfd\x01\xff\xfd\x1f\xff\xfb\x01\xff\xfb\x03')).toBe(true);
      expect(text).toMatch(/^\/ # \x1b\[6nfrisbee -i 127\.0\.3\.\d -m /m);
      expect(text).toMatch(
        new RegExp(
          `^Joined the team after 0 sec\\. ID is \\d+\\. File is ${info.chunkCount} chunks \\(${info.sizeBytes} bytes\\)\\r$`,
          'm',
        ),
      );
      expect(text).toContain('.'.repeat(info.chunkCount));
      expect(text).toMatch(new RegExp(`^Wrote ${info.effectiveBytes} bytes \\(${info.actualBytes} actual\\)\\r$`, 'm'));
      expect(telnetStatus(text)).toBe(0);
      expect(text.replaceAll('\r\n', '')).not.toContain('\n');
    }
    expect(await verifyDisks(testbed)).toEqual(
      [1, 2, 3].map((number) => ({ node: `fit0${number}`, sha256: testbed.demoImage.sha256, ok: true })),
    );
  });

  test('and each node then boots it', async () => {
    for (const number of [1, 2, 3]) expect((await cmc(testbed, number, 'reset')).text).toBe('ok');
    for (const number of [1, 2, 3]) {
      const socket = await connectWhenUp(`127.0.3.${number}`, sshPort(testbed));
      const banner = await new Promise<string>((resolve) => socket.once('data', (chunk) => resolve(String(chunk))));
      expect(banner).toMatch(/^SSH-2\.0-[^\r\n]+\r\n/);
      socket.destroy();
    }
    expect(testbed.status()).toEqual({ nodes: [1, 2, 3].map((number) => ({ node: `fit0${number}`, phase: 'os' })), problems: [] });
  });
});
