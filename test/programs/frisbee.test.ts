import { fileURLToPath } from 'node:url';
import { createSocket } from 'node:dgram';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { emptyClientStats } from '../../src/frisbee/client-stats.js';
import { decode } from '../../src/frisbee/wire.js';
import { chunkDot, clientStatsLines } from '../../src/programs/frisbee-lines.js';
import { getopt, numberValue } from '../../src/programs/getopt.js';
import { MemoryOutput, randomFile, temporaryFolder, testSession } from '../helpers/frisbee.js';
import { client, place, server } from '../helpers/frisbee-programs.js';
import { udpDatagrams } from '../helpers/pcap.js';

const fixture = (name: string): string => fileURLToPath(new URL(`../fixtures/frisbee/${name}`, import.meta.url));
/** The image the captured session carried: the real imagezip's output for a disk of 16 MiB, in 3 chunks. */
function capturedImage(): string {
  const content = Buffer.alloc(3 << 20);
  for (const { payload } of udpDatagrams(fixture('session-3chunk.pcap.gz'))) {
    const message = decode(payload)?.message;
    if (message?.kind === 'block') content.set(message.data, message.chunk * (1 << 20) + message.block * 1024);
  }
  const path = join(temporaryFolder(), 'image.ndz');
  writeFileSync(path, content);
  return path;
}

const shape = (text: string): string =>
  text
    .replace(/\d{2}:\d{2}:\d{2}/g, 'TIME')
    .replace(/\d+/g, 'N')
    .replace(/0x\w+/g, 'N');

/** What `-d` says before all else where system calls are off, which the 2015 programs do not. */
const withoutRemark = (text: string): string => text.replace(/^system calls that are off: .*\n/, '');

/** A busy machine takes its time. */
const PATIENCE = { timeout: 30_000 };

describe('frisbee and frisbeed', () => {
  test('an image goes over; both print the lines of the 2015 programs', async () => {
    const at = place();
    const image = capturedImage();
    const output = join(temporaryFolder(), 'disk.img');
    const serving = server(`-d -T -1 -W 300000000 -i 127.0.0.1 ${at} ${image}`);
    await expect.poll(() => serving.stderr.text, PATIENCE).toContain('Using Multicast');
    const receiving = client(`-i 127.0.3.1 ${at} ${output}`);
    expect(await receiving.done).toBe(0);
    expect(await serving.done).toBe(0);
    const disk = readFileSync(output);
    expect(disk.length).toBe(16 << 20);
    expect(disk.readUInt16LE(510)).toBe(0xaa55);
    const real = readFileSync(fixture('frisbee-3chunk.txt'), 'utf8');
    expect(shape(receiving.stderr.text)).toBe(shape(real));
    expect(receiving.stderr.text).toContain('\nWrote 16777216 bytes (7001088 actual)\n');
    const words = withoutRemark(serving.stderr.text).replaceAll(image, 's3.ndz');
    expect(words).toMatch(
      /^Opened s3\.ndz: 3072 blocks \(3145728 bytes\)\nclock resolution: 1000 us\nMaximum socket buffer size of \d+ bytes\nMaximum send bandwidth 296\.208 Mbits\/sec \(33000 blocks\/sec\)\n {2}burstsize=33, burstinterval=1000us\nBound to port \d+\nUsing Multicast [\d.]+\n127\.0\.3\.1 \(id \d+, image s3\.ndz\) joins \(v1\) at \d\d:\d\d:\d\d! {2}1 active clients\.\n/,
    );
    expect(words).toMatch(
      /\n127\.0\.3\.1 \(id \d+, image s3\.ndz\): leaves at \d\d:\d\d:\d\d, ran for \d+ seconds\. {2}0 active clients\nClient \d+ Performance:\n/,
    );
    expect(words).toMatch(/\nLast client left!\nParams:\n[^]*\n {2}1k blocks sent: {4}\d+ \(\d+ repeated\)\n[^]*\nExiting!\n$/);
  });

  test('-q -N: a file as it is, without dots and statistics; options may be joined and follow the file name', async () => {
    const at = place();
    const { path, content } = randomFile(70_001);
    const output = join(temporaryFolder(), 'copy');
    const serving = server(`${path} -d -i 127.0.0.1 ${at}`);
    const receiving = client(`-qN -i127.0.3.1 ${output} ${at}`);
    expect(await receiving.done).toBe(0);
    expect(readFileSync(output).equals(content)).toBe(true);
    expect(shape(receiving.stderr.text)).toBe(
      'Maximum socket buffer size of N bytes\nBound to port N\nUsing Multicast N.N.N.N\nJoined the team after N sec. ID is N. File is N chunks (N bytes)\n' +
        'Left the team after N seconds on the field!\nWrote N bytes (N actual)\nN N N\n',
    );
    expect(receiving.stderr.text).toContain('File is 1 chunks (70001 bytes)');
    serving.stop.abort(new Error('SIGTERM'));
    expect(await serving.done).toBe(0);
    expect(withoutRemark(serving.stderr.text)).toMatch(
      /^NOTE: serving non-image file, will ignore V1 JOINs\n[^]*joins \(v2\)[^]*Interrupted!\nParams:[^]*Exiting!\n$/,
    );
  });

  test('what is no image ends the client with 1 and leaves no thread behind', async () => {
    const at = place();
    const { path } = randomFile(1 << 20);
    const serving = server(`-i 127.0.0.1 ${at} ${path}`);
    const receiving = client(`-i 127.0.3.1 ${at} ${join(temporaryFolder(), 'disk')}`);
    expect(await receiving.done).toBe(1);
    expect(receiving.stderr.text).toMatch(/frisbee: .*magic/i);
    serving.stop.abort(new Error('SIGHUP'));
    expect(await serving.done).toBe(1);
    expect(serving.stderr.text).toBe('');
  });

  test('a server that falls silent: 110', async () => {
    const at = place();
    const serving = server(`-i 127.0.0.1 -W 9000000 ${at} ${randomFile(8 << 20).path}`);
    const receiving = client(`-q -T 1 -i 127.0.3.1 ${at} ${join(temporaryFolder(), 'disk')}`, {
      openOutput: async () => new MemoryOutput(),
    });
    await expect.poll(() => receiving.stderr.text, PATIENCE).toContain('Joined the team');
    serving.stop.abort(new Error('SIGTERM'));
    await serving.done;
    expect(await receiving.done).toBe(110);
    expect(receiving.stderr.text).toContain('Quit if no messages from server after 1 seconds\n');
    expect(receiving.stderr.text).toMatch(/\n\n\*\*\* No messages from server after 1 seconds, exiting\n$/);
  });

  test('a port that is taken: 98, for both', async () => {
    const { group, port } = testSession();
    const other = createSocket('udp4');
    await new Promise<void>((resolve) => other.bind(port, '0.0.0.0', resolve));
    const at = `-m ${group} -p ${port}`;
    const serving = server(`-i 127.0.0.1 ${at} ${randomFile(10).path}`);
    expect(await serving.done).toBe(98);
    const receiving = client(`-i 127.0.3.1 ${at} ${join(temporaryFolder(), 'disk')}`);
    expect(await receiving.done).toBe(98);
    for (const { stderr } of [serving, receiving]) expect(stderr.text).toBe(`Could not bind to port ${port}!\n`);
    other.close();
  });

  test('a signal ends a waiting client with 128 + its number', async () => {
    for (const [name, code] of [
      ['SIGTERM', 143],
      ['SIGINT', 130],
    ] as const) {
      const receiving = client(`-i 127.0.3.1 ${place()} ${join(temporaryFolder(), 'disk')}`);
      await expect.poll(() => receiving.stderr.text, PATIENCE).toContain('Using Multicast');
      receiving.stop.abort(new Error(name));
      expect(await receiving.done).toBe(code);
    }
  });

  test('-T: a server nobody asks anything ends by itself', async () => {
    const serving = server(`-d -T 1 -i 127.0.0.1 ${place()} ${randomFile(1 << 20).path}`);
    expect(await serving.done).toBe(0);
    expect(serving.stderr.text).toContain('\nNo requests for 1 seconds!\nParams:\n');
  });

  test('usage errors and unusable files', async () => {
    const disk = join(temporaryFolder(), 'disk');
    for (const words of [
      '',
      `${disk}`,
      `-m 239.1.1.1 ${disk}`,
      `-m 239.1.1.1 -p 70000 ${disk}`,
      `-m nowhere -p 5 ${disk}`,
      '-m 239.1.1.1 -p 5000',
      `-m 239.1.1.1 -p 5000 -x ${disk}`,
      `-s x -m 239.1.1.1 -p 5000 ${disk}`,
      `-m 239.1.1.1 -p 5000 -`,
      `-T x -i 127.0.3.1 -m 239.1.1.1 -p 5000 ${disk}`,
      '-m',
    ]) {
      const { done, stderr } = client(words);
      expect(await done, words).toBe(1);
      expect(stderr.text, words).toContain('usage: frisbee');
    }
    expect(await server('-m 239.1.1.1 -p 5000').done).toBe(1);
    expect(await server(`-i 127.0.0.1 ${place()} /nonexistent`).done).toBe(255);
    const unwritable = client(`-i 127.0.3.1 ${place()} /nonexistent/disk`);
    expect(await unwritable.done).toBe(1);
    expect(unwritable.stderr.text).toContain('/nonexistent/disk');
    expect(existsSync(disk)).toBe(false);
  });
});

describe('lines', () => {
  test('67 dots, then seconds and what is left', () => {
    const dots = Array.from({ length: 202 }, (_, i) =>
      chunkDot({ doneChunks: i + 1, totalChunks: 202, elapsedMs: 1000 * Math.floor(i / 66) }),
    ).join('');
    expect(dots).toBe(`${'.'.repeat(67)}   1    135\n${'.'.repeat(67)}   2     68\n${'.'.repeat(67)}   3      1\n.`);
  });

  test('a client’s statistics as the 2015 programs print them', () => {
    const leave = udpDatagrams(fixture('session-1chunk-loss1pct.pcap.gz'))
      .map(({ payload }) => decode(payload)?.message)
      .find((message) => message?.kind === 'leave2');
    if (leave?.kind !== 'leave2') throw new Error('no leave in the capture');
    expect(clientStatsLines(leave.clientId, leave.stats)).toBe(readFileSync(fixture('client-stats-1chunk.txt'), 'utf8'));
    expect(clientStatsLines(1, { ...emptyClientStats(), runSeconds: 11, realBytesWritten: 335544320 })).toContain(
      '335544320 (30504029 Bps)',
    );
  });

  test('getopt', () => {
    expect(getopt(['-qN', '-p5005', '-m', '239.1.1.1', 'out', '-z', '--', '-x'], 'qNz', 'pm')).toEqual({
      flags: new Set(['q', 'N', 'z']),
      values: new Map([
        ['p', '5005'],
        ['m', '239.1.1.1'],
      ]),
      words: ['out', '-x'],
    });
    expect(getopt(['-T', '-1', '-'], '', 'T')).toEqual({ flags: new Set(), values: new Map([['T', '-1']]), words: ['-'] });
    expect(getopt(['-qx'], 'q', 'p')).toBe("invalid option -- 'x'");
    expect(getopt(['-p'], 'q', 'p')).toBe("option requires an argument -- 'p'");
    expect(getopt(['--loopback', '--other'], 'q', 'p', ['--loopback'])).toBe("invalid option -- '-'");
    expect(getopt(['--id=a=b', 'w', '--id', '-q', '-q'], 'q', '', ['--id='])).toEqual({
      flags: new Set(['q']),
      values: new Map([['--id', '-q']]),
      words: ['w'],
    });
    expect(getopt(['--id'], 'q', '', ['--id='])).toBe("option requires an argument -- '--id'");
    const hexadecimal = {
      flags: new Set<string>(),
      values: new Map([
        ['D', '0x8300'],
        ['E', '0xg'],
      ]),
      words: [],
    };
    expect([numberValue(hexadecimal, 'D', 0), numberValue(hexadecimal, 'E', 0)]).toEqual([0x8300, null]);
  });
});

test('the fixture of the capture is whole', () => {
  expect(gunzipSync(readFileSync(fixture('session-N-join2.pcap.gz'))).length).toBeGreaterThan(70_001);
});
