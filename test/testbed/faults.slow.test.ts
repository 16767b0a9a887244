import { existsSync, readFileSync, symlinkSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { nextBootName } from '../../src/testbed/addresses.js';
import { sectorToCorrupt } from '../../src/testbed/corruption.js';
import { parseFault } from '../../src/testbed/fault.js';
import { startTestbed, type Testbed } from '../../src/testbed/testbed.js';
import { hashDisk, verifyDisks } from '../../src/testbed/verify.js';
import type { FrisbeeServer } from '../../src/frisbee/server.js';
import {
  RawTelnet,
  classicLoad,
  cmc,
  connectWhenUp,
  frisbeeLine,
  serveDemo,
  setting,
  sshPort,
  telnetPort,
  telnetStatus,
  tryConnect,
} from './clients.js';

/** A testbed whose nodes all boot the ramdisk. */
async function testbedWith(
  faults: string[],
  { count = 1, frisbee = 'real', on = false }: { count?: number; frisbee?: 'real' | 'scripted'; on?: boolean } = {},
): Promise<Testbed> {
  const testbed = await startTestbed({
    count,
    dir: null,
    faults: faults.map(parseFault),
    shell: frisbee === 'real' ? 'real' : 'builtin',
    frisbee,
    on,
    bootMs: 20,
    osBootMs: 20,
    imageBytes: 16 << 20,
  });
  for (let number = 1; number <= count; number++) {
    symlinkSync(
      'pxefrisbee',
      join(testbed.dir, 'tftpboot/pxelinux.cfg', nextBootName(`02:00:00:03:00:${number.toString(16).padStart(2, '0')}`)),
    );
  }
  return testbed;
}

describe('faults before the write', () => {
  const faults = [
    'fit01:cmc-silent',
    'fit02:cmc-refused',
    'fit03:cmc-busy:1',
    'fit04:reset-ignored',
    'fit05:no-boot',
    'fit06:slow-boot:0.3',
    'fit07:telnet-silent',
    'fit08:ssh-refused',
    'fit08:disk-preloaded',
    'fit09:old-os-lingers:0.3',
    'fit09:disk-preloaded',
  ];
  let testbed: Testbed;
  beforeAll(async () => {
    testbed = await testbedWith(faults, { count: 9, frisbee: 'scripted' });
  });
  afterAll(() => testbed.close());
  const phase = (number: number): string | undefined => testbed.nodes[number - 1]?.phase();

  test('cmc-silent accepts and never answers', async () => {
    const socket = await connectWhenUp('127.0.1.1', Number(setting(testbed, 'cmc_port')));
    socket.destroy();
    await expect(cmc(testbed, 1, 'status', { signal: AbortSignal.timeout(300) })).rejects.toThrow(/abort/);
  });

  test('cmc-refused refuses', async () => {
    await expect(cmc(testbed, 2, 'status')).rejects.toThrow('ECONNREFUSED');
  });

  test('cmc-busy says so, then works', async () => {
    expect((await cmc(testbed, 3, 'status')).text).toBe('CM card busy');
    expect((await cmc(testbed, 3, 'status')).text).toBe('off');
  });

  test('reset-ignored keeps the very session that was open', async () => {
    await cmc(testbed, 4, 'on');
    const telnet = await RawTelnet.to(testbed, 4);
    await telnet.seen(/# /);
    expect((await cmc(testbed, 4, 'reset')).text).toBe('ok');
    telnet.type('echo STILL_""HERE=$?\n');
    await telnet.seen(/STILL_HERE=0/);
    await cmc(testbed, 4, 'off');
    expect(await telnet.closed).toBe('reset');
    expect(await tryConnect('127.0.3.4', telnetPort(testbed))).toBe('ECONNREFUSED');
  });

  test('no-boot has power and nothing else', async () => {
    expect((await cmc(testbed, 5, 'on')).text).toBe('ok');
    expect((await cmc(testbed, 5, 'status')).text).toBe('on');
    expect([phase(5), await tryConnect('127.0.3.5', telnetPort(testbed))]).toEqual(['dead', 'ECONNREFUSED']);
  });

  test('slow-boot takes longer', async () => {
    const start = performance.now();
    await cmc(testbed, 6, 'on');
    (await connectWhenUp('127.0.3.6', telnetPort(testbed))).destroy();
    expect(performance.now() - start).toBeGreaterThan(300);
  });

  test('telnet-silent accepts and says nothing', async () => {
    await cmc(testbed, 7, 'on');
    const telnet = await RawTelnet.to(testbed, 7);
    telnet.type('echo hello\n');
    const loud = await RawTelnet.to(testbed, 6); // another node answers meanwhile
    await loud.seen(/# /);
    loud.socket.destroy();
    expect(telnet.text).toBe('');
    await cmc(testbed, 7, 'off');
    telnet.socket.destroy();
  });

  test('ssh-refused: the system is up, pings, and has no sshd', async () => {
    expect(phase(8)).toBe('os');
    expect(existsSync(join(testbed.dir, 'up/127.0.3.8'))).toBe(true);
    expect(await tryConnect('127.0.3.8', sshPort(testbed))).toBe('ECONNREFUSED');
  });

  test('old-os-lingers: the system that was told to reset still answers for a while', async () => {
    (await connectWhenUp('127.0.3.9', sshPort(testbed))).destroy();
    await cmc(testbed, 9, 'reset');
    const socket = await tryConnect('127.0.3.9', sshPort(testbed));
    if (typeof socket === 'string') throw new Error(socket);
    expect(phase(9)).toBe('os');
    const gone = await new Promise((resolve) =>
      socket
        .on('close', () => resolve('gone'))
        .on('error', () => undefined)
        .resume(),
    );
    expect(gone).toBe('gone');
    (await connectWhenUp('127.0.3.9', telnetPort(testbed))).destroy();
  });
});

/** Resolves when nobody listens for telnet any more. */
async function refused(testbed: Testbed, number: number): Promise<void> {
  for (;;) {
    const socket = await tryConnect(`127.0.3.${number}`, telnetPort(testbed));
    if (socket === 'ECONNREFUSED') return;
    if (typeof socket !== 'string') socket.destroy();
  }
}

describe.each(['real', 'scripted'] as const)('faults of the write, %s frisbee', (frisbee) => {
  let testbed: Testbed;
  let server: FrisbeeServer;
  beforeAll(async () => {
    testbed = await testbedWith(['fit01:drop-at:50', 'fit02:disk-error-at:50', 'fit03:corrupt-at:90', 'fit05:drop-at:0'], {
      count: 5,
      frisbee,
    });
    server = await serveDemo(testbed);
    for (const number of [1, 2, 3, 4, 5]) await cmc(testbed, number, 'on');
  });
  afterAll(async () => {
    await server.stop();
    expect(await testbed.close()).toEqual([]);
  });

  test('drop-at: half the dots, then nothing, on a connection that stays open; the disk does not boot', async () => {
    const telnet = await RawTelnet.to(testbed, 1);
    telnet.type(`${frisbeeLine(testbed, 1)}\necho _TELNET_STATUS=$?\nexit\n`);
    await telnet.seen(/\.{1,}/);
    await refused(testbed, 1);
    expect(testbed.nodes[0]?.phase()).toBe('dead');
    expect((await cmc(testbed, 1, 'status')).text).toBe('on');
    const chunks = testbed.demoImage.info.chunkCount;
    expect(/^\.*/m.exec(telnet.text.slice(telnet.text.indexOf('Joined')).replace(/^.*\r\n/, ''))?.[0].length).toBe(Math.floor(chunks / 2));
    expect(telnetStatus(telnet.text)).toBeNull();
    const still = await Promise.race([telnet.closed, cmc(testbed, 1, 'status').then(() => 'open')]);
    expect(still).toBe('open');
    // a reset brings it back, and it can be used again
    await cmc(testbed, 1, 'reset');
    const again = await RawTelnet.to(testbed, 1);
    again.type('echo BA""CK=$?\n');
    await again.seen(/BACK=0/);
    for (const { socket } of [telnet, again]) socket.destroy();
  });

  test('drop-at:0 dies at the first chunk', async () => {
    const telnet = await RawTelnet.to(testbed, 5);
    telnet.type(`${frisbeeLine(testbed, 5)}\n`);
    await telnet.seen(/Joined the team/);
    await refused(testbed, 5);
    expect(telnet.text).not.toMatch(/^\./m);
    telnet.socket.destroy();
  });

  test('disk-error-at: says so, status 1', async () => {
    const text = await classicLoad(testbed, 2);
    expect(text).toContain('EIO');
    expect(text).not.toContain('Wrote');
    expect(telnetStatus(text)).toBe(1);
  });

  test('corrupt-at: all seems well, and one sector is wrong', async () => {
    const [text, good] = await Promise.all([classicLoad(testbed, 3), classicLoad(testbed, 4)]);
    expect([telnetStatus(text), telnetStatus(good)]).toEqual([0, 0]);
    const verdicts = await verifyDisks(testbed);
    expect(verdicts.map(({ ok }) => ok)).toEqual([false, false, false, true, false]);
    expect(await hashDisk(testbed.demoImage.rawPath, testbed.demoImage.diskBytes)).toBe(testbed.demoImage.sha256);
    const [wrong, right] = [testbed.nodes[2], testbed.nodes[3]].map((node) => readFileSync(node?.diskPath ?? ''));
    const differs = (sector: number): boolean =>
      wrong?.subarray(512 * sector, 512 * sector + 512).equals(right?.subarray(512 * sector, 512 * sector + 512) ?? Buffer.of()) === false;
    const sectors = Array.from({ length: testbed.demoImage.diskBytes / 512 }, (_, sector) => sector).filter(differs);
    expect(sectors).toEqual([await sectorToCorrupt(testbed.demoImage.ndzPath, 90)]);
  });

  test('a half-written disk does not boot, a complete one does', async () => {
    for (const number of [2, 4]) {
      unlinkSync(join(testbed.dir, 'tftpboot/pxelinux.cfg', nextBootName(`02:00:00:03:00:0${number}`)));
      await cmc(testbed, number, 'reset');
    }
    (await connectWhenUp('127.0.3.4', sshPort(testbed))).destroy();
    expect([testbed.nodes[1]?.phase(), testbed.nodes[3]?.phase()]).toEqual(['dead', 'os']);
  });
});

describe('slow and lossy nodes', () => {
  test('still get the very image; the slow disk takes its time', async () => {
    const testbed = await testbedWith(['fit01:slow-disk:8', 'all:loss:2'], { count: 2 });
    const server = await serveDemo(testbed);
    try {
      await Promise.all([1, 2].map((number) => cmc(testbed, number, 'on')));
      const start = performance.now();
      const slow = classicLoad(testbed, 1).then(() => performance.now() - start);
      expect(telnetStatus(await classicLoad(testbed, 2))).toBe(0);
      expect(await slow).toBeGreaterThan((1000 * testbed.demoImage.info.actualBytes) / 8e6);
      expect((await verifyDisks(testbed)).map(({ ok }) => ok)).toEqual([true, true]);
      expect((await server.stop()).sentBlocks).toBeGreaterThan(testbed.demoImage.info.chunkCount * 1000);
    } finally {
      await server.stop();
      await testbed.close();
    }
  });
});
