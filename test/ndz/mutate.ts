import { inflateSync } from 'node:zlib';
import { sealChunk } from '../../src/ndz/checksum.js';
import { CHUNK_BYTES, HEADER_BYTES } from '../../src/ndz/format.js';
import { chunkOf, headerOf, UUID } from './bytes.js';

/** Numbers from 0 up to, not including, `limit`; the same for the same seed. */
export type Dice = (limit: number) => number;

/** mulberry32 */
export function dice(seed: number): Dice {
  let state = seed >>> 0;
  return (limit) => {
    state = (state + 0x6d2b_79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 4_294_967_296) * limit);
  };
}

/** A small image; whether it carries checksums, so that no damage may go unnoticed. */
export type Base = { name: string; bytes: Buffer; isSealed: boolean };

const SECTORS = 96;

/** A disk of 96 sectors in three chunks, with a partition table that speaks of all of it, and gaps between regions. */
function disk(version: 1 | 3 | 4, seal: boolean, roll: Dice): Buffer {
  const plans = [
    { firstSector: 0, lastSector: 30, regions: [[0, 10], [12, 8], [25, 5]] },
    { firstSector: 30, lastSector: 64, regions: [[30, 20], [60, 1]] },
    { firstSector: 64, lastSector: SECTORS, regions: [[70, 4], [80, 10]] },
  ];
  const chunks = plans.map(({ firstSector, lastSector, regions }, index) => {
    const sectors = regions.reduce((sum, [, count]) => sum + (count ?? 0), 0);
    const data = Buffer.from(Array.from({ length: sectors * 512 }, () => (roll(4) === 0 ? roll(256) : 0x20)));
    if (index === 0) {
      data.fill(0, 446, 510);
      data.set([0, 0, 0, 0, 0x83, 0, 0, 0], 446);
      data.writeUInt32LE(1, 454);
      data.writeUInt32LE(SECTORS - 1, 458);
      data.writeUInt16LE(0xaa55, 510);
    }
    const header = headerOf({
      version, index, total: version === 1 ? plans.length : 0, firstSector, lastSector, uuid: version !== 4 ? null : seal ? UUID : UUID.replace('00', 'ff'),
      checksumType: seal ? 'sha1' : 'none', regions: regions.map(([startSector = 0, sectorCount = 0]) => ({ startSector, sectorCount })),
      ...(index === 2 && version !== 1 ? { lastSector: SECTORS, relocations: [{ type: 6, sector: 89, offsetBytes: 0, sizeBytes: 100 }] } : {}),
    });
    const chunk = chunkOf(header, data);
    if (seal) sealChunk(chunk, chunk.readUInt32LE(4));
    return chunk;
  });
  return Buffer.concat(chunks);
}

/** Images to damage. */
export function bases(seed: number): Base[] {
  const roll = dice(seed);
  return [
    { name: 'V4 with checksums', bytes: disk(4, true, roll), isSealed: true },
    { name: 'V4', bytes: disk(4, false, roll), isSealed: false },
    { name: 'V3', bytes: disk(3, false, roll), isSealed: false },
    { name: 'V1', bytes: disk(1, false, roll), isSealed: false },
  ];
}

const WORDS = [0, 1, 2, 7, 8, 255, 256, 468, 469, 470, 511, 512, 4095, 4096, 65_535, 1_044_479, 1_044_480, 1_044_481, 0x7fff_ffff, 0x8000_0000, 0xffff_fff0, 0xffff_fffe, 0xffff_ffff];
/** Header fields, then regions and relocations. */
const FIELDS = [...Array.from({ length: 10 }, (_, i) => 4 * i), 72, 328, 340, ...Array.from({ length: 20 }, (_, i) => 344 + 4 * i)];

/** A damaged copy of an image. */
export function mutate({ bytes }: Base, others: readonly Base[], roll: Dice): Buffer {
  const copy = Buffer.from(bytes);
  const chunkAt = roll(3) * CHUNK_BYTES;
  const streamBytes = bytes.readUInt32LE(chunkAt + 4);
  const used = HEADER_BYTES + streamBytes;
  for (let times = 1 + roll(3); times > 0; times--) {
    switch (roll(12)) {
      case 0: case 1: case 2: // any field, any of the numbers that matter
        copy.writeUInt32LE(WORDS[roll(WORDS.length)] ?? 0, chunkAt + (FIELDS[roll(FIELDS.length)] ?? 0));
        break;
      case 3: case 4: { // a field, a little off
        const at = chunkAt + (FIELDS[roll(FIELDS.length)] ?? 0);
        copy.writeUInt32LE((copy.readUInt32LE(at) + roll(33) - 16) >>> 0, at);
        break;
      }
      case 5: case 6: { // one bit of what counts
        const at = chunkAt + roll(used);
        copy[at] = (copy[at] ?? 0) ^ (1 << roll(8));
        break;
      }
      case 7: { // one bit of the header
        const at = chunkAt + roll(460);
        copy[at] = (copy[at] ?? 0) ^ (1 << roll(8));
        break;
      }
      case 8: { // noise in the stream
        const at = chunkAt + HEADER_BYTES + roll(streamBytes);
        for (let i = 0; i < roll(64); i++) copy[Math.min(copy.byteLength - 1, at + i)] = roll(256);
        break;
      }
      case 9: case 10: { // a chunk in another's place, of this image or another
        const other = roll(2) === 0 ? bytes : (others[roll(others.length)]?.bytes ?? bytes);
        const from = roll(3) * CHUNK_BYTES;
        other.copy(copy, chunkAt, from, from + CHUNK_BYTES);
        break;
      }
      default: // cut, or longer than it was
        return roll(2) === 0 ? copy.subarray(0, roll(2) === 0 ? roll(3) * CHUNK_BYTES : roll(copy.byteLength)) : Buffer.concat([copy, roll(2) === 0 ? copy.subarray(0, CHUNK_BYTES) : Buffer.alloc(1 + roll(600), roll(256))]);
    }
  }
  return copy;
}

/** What an image means, decoded as simply as can be and without any check: offset by offset on the disk. */
export function meaning(image: Buffer): Map<number, Buffer> {
  const sectors = new Map<number, Buffer>();
  for (let at = 0; at + CHUNK_BYTES <= image.byteLength; at += CHUNK_BYTES) {
    const chunk = image.subarray(at, at + CHUNK_BYTES);
    const version = (chunk[0] ?? 0) - 0x68;
    const fixed = version === 1 ? 24 : version === 4 ? 344 : 36;
    const data = inflateSync(chunk.subarray(HEADER_BYTES, HEADER_BYTES + chunk.readUInt32LE(4)));
    let offset = 0;
    const regionCount = chunk.readInt32LE(20);
    const short = version !== 1 && chunk.readInt32LE(32) > 0 ? chunk.readUInt32LE(fixed + regionCount * 8 + 4) : -1;
    const shortBytes = short < 0 ? 512 : chunk.readUInt32LE(fixed + regionCount * 8 + 12);
    const isShort = short >= 0 && chunk.readUInt32LE(fixed + regionCount * 8) === 6;
    for (let region = 0; region < regionCount; region++) {
      const [start, count] = [chunk.readUInt32LE(fixed + region * 8), chunk.readUInt32LE(fixed + region * 8 + 4)];
      for (let sector = start; sector < start + count; sector++, offset += 512) {
        sectors.set(sector, data.subarray(offset, offset + (isShort && sector === short ? shortBytes : 512)));
      }
    }
  }
  return sectors;
}
