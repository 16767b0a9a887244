import { createHash, randomBytes } from 'node:crypto';
import { deflateSync } from 'node:zlib';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { libdeflate } from '../../../src/native/libdeflate.js';
import { sealChunk } from '../../../src/ndz/codec/checksum.js';
import { HEADER_BYTES, inflatedBytes, type ChunkHeader } from '../../../src/ndz/codec/format.js';
import { InflateMemory } from '../../../src/ndz/codec/inflate-memory.js';
import { inflatePieces, openChunk } from '../../../src/ndz/codec/inflate.js';
import { chunkOf, chunksOf, expectedOf, fixture, fixtureNames, headerOf, inflated } from '../../helpers/images.js';

const failsWith = (code: string, message: string | RegExp): unknown =>
  expect.objectContaining({
    code,
    message: typeof message === 'string' ? (expect.stringContaining(message) as unknown) : (expect.stringMatching(message) as unknown),
  });

afterEach(() => void vi.unstubAllEnvs());

const whyOff = await libdeflate.whyOff();
const shared = new InflateMemory();

// both must say the same of every stream
describe.each([
  ['zlib', (): undefined => undefined, null],
  [`libdeflate${whyOff === null ? '' : ` (skipped: ${whyOff})`}`, (): InflateMemory => shared, whyOff],
] as const)('%s', (_, memory, why) => {
  const inflate = (chunk: Uint8Array, position?: number): Promise<Buffer> => inflated(chunk, position, memory());
  if (why !== null) return void test.skip(why);

  test.each(fixtureNames)('%s inflates to what its regions say', async (name) => {
    const lengths = (await Promise.all(chunksOf(fixture(name)).map((chunk) => inflate(chunk)))).map(({ byteLength }) => byteLength);
    expect(lengths.reduce((a, b) => a + b)).toBe(expectedOf(name).inflatedBytes);
  });

  describe('a chunk with a SHA1', () => {
    const sealed = (): Buffer => {
      const chunk = chunkOf(headerOf({ checksumType: 'sha1' }), randomBytes(4096));
      sealChunk(chunk, chunk.readUInt32LE(4));
      return chunk;
    };

    test('has it over header area and stream, its own field as zeros', async () => {
      const chunk = sealed();
      const covered = Buffer.from(chunk.subarray(0, HEADER_BYTES + chunk.readUInt32LE(4)));
      covered.fill(0, 72, 328);
      expect(chunk.subarray(72, 92)).toEqual(createHash('sha1').update(covered).digest());
      expect(chunk.readUInt16LE(38)).toBe(1);
      expect(openChunk(chunk).checksumType).toBe('sha1');
    });

    test.each([
      ['the uuid', 330],
      ['a region', 4095],
      ['the stream', HEADER_BYTES + 50],
      ['the checksum', 72],
    ])('is refused when %s changed', async (_, offset) => {
      const chunk = sealed();
      chunk[offset] = (chunk[offset] ?? 0) ^ 1;
      await expect(inflate(chunk, 3)).rejects.toThrow(failsWith('ndz-checksum', 'chunk 3: its SHA1 does not match'));
    });

    test('may have anything in the padding', async () => {
      const chunk = sealed();
      chunk[chunk.byteLength - 1] = 1;
      await inflate(chunk);
    });
  });

  describe('a stream that is not what the header says', () => {
    const eight: ChunkHeader = headerOf();
    const patched = (change: (chunk: Buffer, streamBytes: number) => void, data = randomBytes(4096)): Buffer => {
      const chunk = chunkOf(eight, data);
      change(chunk, chunk.readUInt32LE(4));
      return chunk;
    };

    test.each<[string, Buffer, RegExp]>([
      ['too long', patched(() => undefined, randomBytes(4608)), /inflates to more than 4096 bytes, its regions have 4096/],
      ['too short', patched(() => undefined, randomBytes(3584)), /inflates to 3584 bytes, its regions have 4096/],
      ['cut', patched((chunk, size) => chunk.writeUInt32LE(size - 1, 4)), /stream is damaged \(unexpected end of file\)/],
      [
        'over before its size',
        patched((chunk, size) => chunk.writeUInt32LE(size + 100, 4)),
        /stream ends after \d+ bytes, the header says \d+/,
      ],
      ['damaged', patched((chunk) => void (chunk[HEADER_BYTES + 60] = (chunk[HEADER_BYTES + 60] ?? 0) ^ 0xff)), /stream is damaged \(.+\)/],
      ['not zlib', patched((chunk) => chunk.write('not a zlib stream', HEADER_BYTES)), /stream is damaged \(.+\)/],
    ])('%s', async (_, chunk, message) => {
      await expect(inflate(chunk, 0)).rejects.toThrow(failsWith('ndz-bad-stream', message));
    });

    test('is not read beyond the bytes that are there', async () => {
      const chunk = patched(() => undefined);
      await expect(inflate(chunk.subarray(0, HEADER_BYTES + 100), 2)).rejects.toThrow(failsWith('ndz-truncated', /^chunk 2: 4196 bytes/));
    });

    test('is refused when encrypted', async () => {
      await expect(inflate(chunkOf(headerOf({ cipher: 'blowfish' })))).rejects.toThrow(failsWith('ndz-encrypted', 'blowfish'));
    });
  });

  test('takes a stored (level 0) stream as well', async () => {
    const data = randomBytes(4096);
    const chunk = chunkOf(headerOf());
    const stream = deflateSync(data, { level: 0 });
    chunk.set(stream, HEADER_BYTES);
    chunk.writeUInt32LE(stream.byteLength, 4);
    expect(Buffer.compare(await inflate(chunk), data)).toBe(0);
  });
});

describe.skipIf(whyOff !== null)(`memory that is given${whyOff === null ? '' : ` (skipped: ${whyOff})`}`, () => {
  const chunkFilledWith = (byte: number): Buffer => chunkOf(headerOf(), Buffer.alloc(4096, byte));

  test('is what libdeflate inflates into, chunk after chunk', async () => {
    const memory = new InflateMemory();
    const first = await pieceOf(chunkFilledWith(1), memory);
    expect(first).toEqual(Buffer.alloc(4096, 1));
    const second = await pieceOf(chunkFilledWith(2), memory);
    expect(second.buffer).toBe(first.buffer);
    expect(first).toEqual(Buffer.alloc(4096, 2));
  });

  test('is not used when libdeflate is switched off', async () => {
    vi.stubEnv('IMAGING_NATIVE_OFF', 'libdeflate');
    const memory = new InflateMemory();
    expect(await pieceOf(chunkFilledWith(1), memory)).toEqual(Buffer.alloc(4096, 1));
    expect(memory.sizeBytes).toBe(0);
  });

  const pieceOf = async (chunk: Buffer, memory: InflateMemory): Promise<Uint8Array> => {
    for await (const piece of inflatePieces(chunk, openChunk(chunk), memory))
      return Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength);
    throw new Error('no piece');
  };
});

describe('a chunk that grows a hundredfold', () => {
  const sectorCount = (100 * 1024 * 1024) / 512;
  const big = headerOf({ lastSector: sectorCount, regions: [{ startSector: 0, sectorCount }] });
  const drain = async (chunk: Buffer): Promise<{ total: number; largest: number }> => {
    let [total, largest] = [0, 0];
    for await (const piece of inflatePieces(chunk, openChunk(chunk), new InflateMemory()))
      [total, largest] = [total + piece.byteLength, Math.max(largest, piece.byteLength)];
    return { total, largest };
  };

  test('comes in small pieces', async () => {
    const { total, largest } = await drain(chunkOf(big));
    expect(total).toBe(inflatedBytes(big));
    expect(largest).toBeLessThanOrEqual(1024 * 1024);
  });

  test.each([
    ['longer', 512, /more than 104857600/],
    ['shorter', -512, /inflates to 104857088 bytes/],
  ])('is refused when it is %s than it says', async (_, difference, message) => {
    await expect(drain(chunkOf(big, Buffer.alloc(inflatedBytes(big) + difference)))).rejects.toThrow(failsWith('ndz-bad-stream', message));
  });

  test('is refused when its stream ends early or late, or is damaged', async () => {
    const chunk = chunkOf(big);
    const size = chunk.readUInt32LE(4);
    chunk.writeUInt32LE(size - 1, 4);
    await expect(drain(chunk)).rejects.toThrow(failsWith('ndz-bad-stream', 'unexpected end of file'));
    chunk.writeUInt32LE(size + 1, 4);
    await expect(drain(chunk)).rejects.toThrow(failsWith('ndz-bad-stream', 'its stream ends after'));
    chunk.writeUInt32LE(size, 4);
    chunk[HEADER_BYTES + 1000] = 0xff;
    await expect(drain(chunk)).rejects.toThrow(failsWith('ndz-bad-stream', 'damaged'));
  });

  test('gets no more memory than its stream is worth, whatever it claims', async () => {
    const claimed = headerOf({ sizeBytes: 1_000_000, lastSector: 2_000_000, regions: [{ startSector: 0, sectorCount: 2_000_000 }] });
    const chunk = chunkOf(claimed, Buffer.alloc(4096));
    chunk.writeUInt32LE(1_000_000, 4);
    const before = process.memoryUsage().arrayBuffers;
    await expect(inflated(chunk)).rejects.toThrow(failsWith('ndz-bad-stream', /./));
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(64 * 1024 * 1024);
  });
});
