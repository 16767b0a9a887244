import { randomBytes } from 'node:crypto';
import { deflateRawSync, deflateSync, gzipSync } from 'node:zlib';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { libdeflate, type Libdeflate } from '../../src/native/libdeflate.js';

afterEach(() => void vi.unstubAllEnvs());

const why = await libdeflate.whyOff();

describe.skipIf(why !== null)(`libdeflate${why === null ? '' : ` (skipped: ${why})`}`, () => {
  const data = Buffer.concat([randomBytes(3000), Buffer.alloc(70_000, 'some text '), randomBytes(3000)]);
  const stream = deflateSync(data);
  const room = Buffer.alloc(data.byteLength);
  const opened = async (): Promise<Libdeflate> => {
    const found = await libdeflate.get();
    if (!found) throw new Error('it was there a moment ago');
    return found;
  };
  const inflates = async (input: Uint8Array, output: Uint8Array = room): Promise<boolean> => (await opened()).inflateZlib(input, output);

  test.each([0, 1, 4, 9])('inflates what zlib made at level %d', async (level) => {
    room.fill(0);
    expect(await inflates(deflateSync(data, { level }))).toBe(true);
    expect(room.equals(data)).toBe(true);
  });

  test('takes bytes where they lie: in shared memory, within more', async () => {
    const input = new Uint8Array(new SharedArrayBuffer(stream.byteLength + 20)).subarray(7, 7 + stream.byteLength);
    input.set(stream);
    const around = Buffer.alloc(data.byteLength + 20, 0xaa);
    expect(await inflates(input, around.subarray(13, 13 + data.byteLength))).toBe(true);
    expect(around.equals(Buffer.concat([Buffer.alloc(13, 0xaa), data, Buffer.alloc(7, 0xaa)]))).toBe(true);
  });

  const changed = (at: number): Buffer => {
    const copy = Buffer.from(stream);
    const place = at < 0 ? copy.byteLength + at : at;
    copy.writeUInt8(copy.readUInt8(place) ^ 1, place);
    return copy;
  };

  test.each<[string, Uint8Array, number?]>([
    ['that gives less than there is room for', stream, 1],
    ['that gives more', stream, -1],
    ['that something follows', Buffer.concat([stream, Buffer.alloc(1)])],
    ['that is cut', stream.subarray(0, -1)],
    ['whose checksum is wrong', changed(-1)],
    ['whose data is damaged', changed(100)],
    ['whose header is wrong', changed(0)],
    ['with a dictionary', deflateSync(data, { dictionary: randomBytes(100) })],
    ['without a header', deflateRawSync(data)],
    ['of gzip', gzipSync(data)],
    ['of no bytes', new Uint8Array(0)],
  ])('refuses a stream %s', async (_, input, more = 0) => {
    const output = Buffer.alloc(data.byteLength + 20, 0xaa);
    expect(await inflates(input, output.subarray(0, data.byteLength + more))).toBe(false);
    expect(output.subarray(data.byteLength + Math.max(more, 0)).every((byte) => byte === 0xaa)).toBe(true);
  });
});

test('can be switched off', async () => {
  vi.stubEnv('IMAGING_NATIVE_OFF', 'libdeflate');
  expect(await libdeflate.get()).toBeNull();
  expect(await libdeflate.whyOff()).toContain('switched off');
});
