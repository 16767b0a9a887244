import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { receiveImage } from '../../src/frisbee/receive.js';
import type { ReceiveResult } from '../../src/frisbee/receive-options.js';
import { CHUNK_BYTES, encodeChunkHeader } from '../../src/ndz/codec/format.js';
import { openDiskSink, openRawSink } from '../../src/ndz/apply/disk-sink.js';
import { client } from '../helpers/frisbee-programs.js';
import { forgedServer, type Forgery } from '../helpers/forged-server.js';
import { temporaryFolder } from '../helpers/frisbee.js';
import { chunkOf, headerOf } from '../helpers/bytes.js';

const SECTORS = 1500;
const disk = randomBytes(3 * SECTORS * 512);
const header = (index: number, startSector = index * SECTORS): ReturnType<typeof headerOf> =>
  headerOf({
    version: 3,
    uuid: null,
    index,
    firstSector: index * SECTORS,
    lastSector: (index + 1) * SECTORS,
    regions: [{ startSector, sectorCount: SECTORS }],
  });
const image = Buffer.concat(
  [0, 1, 2].map((index) => chunkOf(header(index), disk.subarray(index * SECTORS * 512, (index + 1) * SECTORS * 512))),
);
const noise = randomBytes(1024);

async function receive(
  served: Buffer,
  forge: Forgery,
): Promise<{ result: Promise<ReceiveResult>; path: string; times: (chunk: number) => number }> {
  const { times, ...session } = await forgedServer(served, forge);
  const path = join(temporaryFolder(), 'disk');
  const sink = await openDiskSink(path);
  return { result: receiveImage({ ...session, localIp: '127.0.3.1', loopback: true, inOrder: true, sink }), path, times };
}

describe('blocks that somebody else sent', () => {
  test('a damaged chunk is received again, the disk is right, and the end says what happened', async () => {
    const { result, path, times } = await receive(image, ({ chunk, block, times, data }) =>
      chunk === 1 && block === 700 && times < 3 ? noise : data,
    );
    expect((await result).notes).toEqual([
      expect.stringMatching(/^WARNING: \d+ damaged chunks were received again \(1\); somebody else sends in the session 239\./),
    ]);
    expect(times(1)).toBeGreaterThanOrEqual(3); // a busy machine asks once more
    expect(readFileSync(path).equals(disk)).toBe(true);
  });

  test('a first chunk that is no chunk of the image changes nothing of what is expected', async () => {
    const other = chunkOf(
      headerOf({ uuid: 'ff'.repeat(16), index: 0, firstSector: 0, lastSector: 9, regions: [{ startSector: 0, sectorCount: 9 }] }),
    );
    noise.copy(other, 4096, 0, 64); // a header that makes sense, and a stream that does not
    const { result, path } = await receive(image, ({ chunk, block, times, data }) =>
      chunk === 0 && times === 1 ? other.subarray(block * 1024, block * 1024 + 1024) : data,
    );
    await result;
    expect(readFileSync(path).equals(disk)).toBe(true);
  });

  test('when it does not end, the message says that somebody else sends, and not that the image is damaged', async () => {
    const { result, times } = await receive(image, ({ chunk, block, data }) => (chunk === 1 && block === 9 ? randomBytes(1024) : data));
    await expect(result).rejects.toMatchObject({
      code: 'ndz-bad-stream',
      message: expect.stringMatching(
        /^chunk 1 came 4 times, each time wrong and not the same each time: somebody else sends in the session 239\.[\d.:]+, or the network damages what passes \(last: chunk 1: its compressed stream is damaged/,
      ) as unknown,
      hint: expect.not.stringContaining('copy') as unknown,
    });
    expect(times(1)).toBe(4);
  });

  test('a header that came twice, with different contents, is not believed although the stream is whole', async () => {
    const elsewhere = Buffer.from(
      encodeChunkHeader({ ...header(1, 2 * SECTORS - 1), lastSector: 4 * SECTORS, sizeBytes: image.readUInt32LE(CHUNK_BYTES + 4) }),
    ).subarray(0, 1024);
    const { result, path } = await receive(image, ({ chunk, block, times, data }) =>
      chunk === 1 && block === 0 && times === 1 ? [elsewhere, data] : data,
    );
    expect((await result).notes).toEqual([expect.stringContaining('block 0 came twice, with different contents')]);
    expect(readFileSync(path).equals(disk)).toBe(true);
  });

  test('a block of the stream that comes too late to be believed costs nothing', async () => {
    const { result, path, times } = await receive(image, ({ block, data }) => (block === 700 ? [data, noise] : data));
    expect((await result).notes).toEqual([]);
    expect([0, 1, 2].map(times)).toEqual([1, 1, 1]);
    expect(readFileSync(path).equals(disk)).toBe(true);
  });

  test('what is written as it is (-N) has no checksum: whatever came twice and differed is received again', async () => {
    const { times, ...session } = await forgedServer(image, ({ chunk, block, times, data }) =>
      chunk === 2 && block === 900 && times === 1 ? [noise, data] : data,
    );
    const path = join(temporaryFolder(), 'file');
    await receiveImage({ ...session, localIp: '127.0.3.1', loopback: true, inOrder: true, raw: true, sink: openRawSink(path) });
    expect(times(2)).toBe(2);
    expect(readFileSync(path).equals(image)).toBe(true);
  });
});

describe('an image that is damaged where it is served', () => {
  const damaged = Buffer.from(image);
  noise.copy(damaged, CHUNK_BYTES + 700 * 1024);

  test('comes the same each time: the message says so, and how to find out', async () => {
    const { result, times } = await receive(damaged, ({ data }) => data);
    await expect(result).rejects.toMatchObject({
      code: 'ndz-bad-stream',
      message: expect.stringMatching(
        /^chunk 1: its compressed stream is damaged \(.*\); came 4 times, the same each time: the image is damaged there, or somebody else sends/,
      ) as unknown,
      hint: 'imaging-image verify on the server tells which',
    });
    expect(times(1)).toBe(4);
  });

  test('the program ends with 1 and that line', async () => {
    const { group, port } = await forgedServer(damaged, ({ data }) => data);
    const { done, stderr } = client(`-q -O -i 127.0.3.1 -m ${group} -p ${port} ${join(temporaryFolder(), 'disk')}`);
    expect(await done).toBe(1);
    expect(stderr.text).toMatch(/\nfrisbee: chunk 1: .*the same each time.* \(imaging-image verify on the server tells which\)\n$/);
  });
});

describe('a chunk that grows beyond 32 MiB is written while it is inflated', () => {
  const sectors = 80_000;
  const zeros = (startSector: number): Buffer =>
    chunkOf(
      headerOf({ version: 3, uuid: null, firstSector: 0, lastSector: 2 * sectors, regions: [{ startSector, sectorCount: sectors }] }),
      Buffer.alloc(sectors * 512, 'x'),
    );
  const cut = (chunk: Buffer): Buffer => Buffer.concat([chunk.subarray(0, 30_000), noise, chunk.subarray(31_024)]);

  test('damaged towards its end it is written over when it comes again', async () => {
    const path = join(temporaryFolder(), 'disk');
    const sink = await openDiskSink(path);
    await expect(sink.write(cut(zeros(8)), 0)).rejects.toMatchObject({ code: 'ndz-bad-stream' });
    await sink.write(zeros(8), 0);
    await sink.finish();
    const written = readFileSync(path);
    expect(written.subarray(8 * 512, (8 + sectors) * 512).equals(Buffer.alloc(sectors * 512, 'x'))).toBe(true);
    expect(written.length).toBe(2 * sectors * 512);
  });

  test('one that then belongs elsewhere ends the transfer: what it wrote would stay', async () => {
    const sink = await openDiskSink(join(temporaryFolder(), 'disk'));
    await expect(sink.write(cut(zeros(8)), 0)).rejects.toMatchObject({ code: 'ndz-bad-stream' });
    await expect(sink.write(zeros(16), 0)).rejects.toMatchObject({ code: 'ndz-half-written' });
    await sink.abort();
  });
});
