import { expect, test } from 'vitest';
import { ImageNeed } from '../../../src/ndz/apply/image-need.js';
import { openDiskSink } from '../../../src/ndz/apply/disk-sink.js';
import { chunkOf, headerOf } from '../../helpers/images.js';
import { hasLoop, loopDevice } from '../../helpers/loop.js';

const header = (index: number): ReturnType<typeof headerOf> =>
  headerOf({ index, firstSector: 100 * index, lastSector: 100 * (index + 1), regions: [{ startSector: 100 * index, sectorCount: 100 }] });
const tooSmall = (message: string): unknown => expect.objectContaining({ code: 'disk-too-small', message: `/dev/x ${message}` });

test('a chunk that does not fit waits for the last one, which says what the whole image needs', () => {
  const need = new ImageNeed('/dev/x', 300 * 512);
  expect(need.fits(header(1), false)).toBe(true);
  expect(need.fits(header(5), false)).toBe(false);
  expect(need.fits(header(0), false)).toBe(false);
  expect(() => need.fits(header(9), true)).toThrow(tooSmall('has 153600 bytes, the image needs 512000') as Error);
});

test('when the last one does not come for long it says what it knows', () => {
  const need = new ImageNeed('/dev/x', 300 * 512);
  expect(() => {
    for (let i = 0; i < 64; i++) need.fits(header(5), false);
  }).toThrow(tooSmall('has 153600 bytes, the image needs at least 307200') as Error);
});

test.skipIf(!hasLoop)('on a small disk the first chunk that does not fit is not the measure (needs a loop device: root)', async () => {
  const device = await loopDevice(Buffer.alloc(300 * 512));
  const sink = await openDiskSink(device);
  await sink.begin?.(10 << 20);
  await sink.write(chunkOf(header(4)), 4);
  await expect(sink.write(chunkOf(header(9)), 9)).rejects.toMatchObject({
    code: 'disk-too-small',
    message: `${device} has ${300 * 512} bytes, the image needs ${1000 * 512}`,
  });
  await sink.abort();
});
