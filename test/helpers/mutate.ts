import { inflateSync } from 'node:zlib';
import { sealChunk } from '../../src/ndz/codec/checksum.js';
import { CHUNK_BYTES, HEADER_BYTES } from '../../src/ndz/codec/format.js';
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
    {
      firstSector: 0,
      lastSector: 30,
      regions: [
        [0, 10],
        [12, 8],
        [25, 5],
      ],
    },
    {
      firstSector: 30,
      lastSector: 64,
      regions: [
        [30, 20],
        [60, 1],
      ],
    },
    {
      firstSector: 64,
      lastSector: SECTORS,
      regions: [
        [70, 4],
        [80, 10],
      ],
    },
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
      version,
      index,
      total: version === 1 ? plans.length : 0,
      firstSector,
      lastSector,
      uuid: version !== 4 ? null : seal ? UUID : UUID.replace('00', 'ff'),
      checksumType: seal ? 'sha1' : 'none',
      regions: regions.map(([startSector = 0, sectorCount = 0]) => ({ startSector, sectorCount })),
      ...(version === 4 ? { endMark: { chunkCount: index === 2 ? 3 : 0 } } : {}),
      ...(index === 2 && version !== 1
        ? { lastSector: SECTORS, relocations: [{ type: 6, sector: 89, offsetBytes: 0, sizeBytes: 100 }] }
        : {}),
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

const WORDS = [
  0, 1, 2, 7, 8, 255, 256, 468, 469, 470, 511, 512, 4095, 4096, 65_535, 1_044_479, 1_044_480, 1_044_481, 0x7fff_ffff, 0x8000_0000,
  0xffff_fff0, 0xffff_fffe, 0xffff_ffff,
];
/** Header fields, then regions and relocations. */
const FIELDS = [...Array.from({ length: 10 }, (_, i) => 4 * i), 72, 328, 340, ...Array.from({ length: 20 }, (_, i) => 344 + 4 * i)];

/** A damaged copy of an image; whether its chunks got new checksums, as somebody with bad intentions would give them. */
export type Mutant = { bytes: Buffer; isResealed: boolean };

/** An image damaged at random, in one to three ways. */
export function mutate(base: Base, others: readonly Base[], roll: Dice): Mutant {
  let bytes: Buffer = Buffer.from(base.bytes);
  for (let times = 1 + roll(3); times > 0; times--) {
    const how = WAYS[roll(WAYS.length)] ?? resize;
    bytes = how(bytes, base, others, roll);
    if (bytes.byteLength !== base.bytes.byteLength) return { bytes, isResealed: false };
  }
  return base.isSealed && roll(3) === 0 ? resealed(bytes) : { bytes, isResealed: false };
}

type Way = (copy: Buffer, base: Base, others: readonly Base[], roll: Dice) => Buffer;

const setField: Way = (copy, _, __, roll) => {
  copy.writeUInt32LE(WORDS[roll(WORDS.length)] ?? 0, roll(3) * CHUNK_BYTES + (FIELDS[roll(FIELDS.length)] ?? 0));
  return copy;
};
const shiftField: Way = (copy, _, __, roll) => {
  const at = roll(3) * CHUNK_BYTES + (FIELDS[roll(FIELDS.length)] ?? 0);
  copy.writeUInt32LE((copy.readUInt32LE(at) + roll(33) - 16) >>> 0, at);
  return copy;
};
const flipIn =
  (length: (base: Base, chunkAt: number) => number): Way =>
  (copy, base, _, roll) => {
    const chunkAt = roll(3) * CHUNK_BYTES;
    const at = chunkAt + roll(length(base, chunkAt));
    copy[at] = (copy[at] ?? 0) ^ (1 << roll(8));
    return copy;
  };
const usedBytes = ({ bytes }: Base, chunkAt: number): number => HEADER_BYTES + bytes.readUInt32LE(chunkAt + 4);
const noise: Way = (copy, base, _, roll) => {
  const chunkAt = roll(3) * CHUNK_BYTES;
  const at = chunkAt + HEADER_BYTES + roll(base.bytes.readUInt32LE(chunkAt + 4));
  for (let i = 0; i < roll(64); i++) copy[Math.min(copy.byteLength - 1, at + i)] = roll(256);
  return copy;
};
/** A chunk in another's place, of this image or another. */
const moveChunk: Way = (copy, { bytes }, others, roll) => {
  const other = roll(2) === 0 ? bytes : (others[roll(others.length)]?.bytes ?? bytes);
  const from = roll(3) * CHUNK_BYTES;
  other.copy(copy, roll(3) * CHUNK_BYTES, from, from + CHUNK_BYTES);
  return copy;
};
/** The beginning of one image, the end of another, joined anywhere. */
const splice: Way = (copy, { bytes }, others, roll) => {
  const other = others[roll(others.length)]?.bytes ?? bytes;
  const at = roll(3) * CHUNK_BYTES + (roll(2) === 0 ? roll(512) : roll(HEADER_BYTES + 4096));
  other.copy(copy, at, at);
  return copy;
};
/** Cut, or longer than it was. */
const resize: Way = (copy, _, __, roll) => {
  if (roll(2) === 0) return copy.subarray(0, roll(2) === 0 ? roll(3) * CHUNK_BYTES : roll(copy.byteLength));
  return Buffer.concat([copy, roll(2) === 0 ? copy.subarray(0, CHUNK_BYTES) : Buffer.alloc(1 + roll(600), roll(256))]);
};
const WAYS: readonly Way[] = [
  setField,
  setField,
  setField,
  shiftField,
  shiftField,
  flipIn(usedBytes),
  flipIn(usedBytes),
  flipIn(() => 460),
  noise,
  moveChunk,
  moveChunk,
  splice,
  resize,
];

function resealed(bytes: Buffer): Mutant {
  for (let at = 0; at < bytes.byteLength; at += CHUNK_BYTES) {
    const chunk = bytes.subarray(at, at + CHUNK_BYTES);
    if (chunk.readUInt16LE(38) === 1) sealChunk(chunk, Math.min(chunk.readUInt32LE(4), CHUNK_BYTES - HEADER_BYTES));
  }
  return { bytes, isResealed: true };
}

/** Behind the headers' last fields there is nothing but zeros. */
const SWEPT_BYTES = 430;

/** Every `step`-th byte of every header set to 0 and 255, a little off, and with its highest bit turned over; every such length; garbage behind. */
export function* sweep({ bytes, isSealed }: Base, step: number): Generator<Mutant> {
  for (let chunkAt = 0; chunkAt < bytes.byteLength; chunkAt += CHUNK_BYTES) {
    for (let at = chunkAt; at < chunkAt + SWEPT_BYTES; at += step) {
      const old = bytes[at] ?? 0;
      for (const value of new Set([0, 255, (old + 1) & 255, (old - 1) & 255, old ^ 0x80])) {
        const copy = Buffer.from(bytes);
        copy[at] = value;
        yield { bytes: copy, isResealed: false };
        if (isSealed && (at - chunkAt < 72 || at - chunkAt >= 328)) yield resealed(Buffer.from(copy));
      }
      yield { bytes: bytes.subarray(0, at), isResealed: false };
      yield { bytes: Buffer.concat([bytes, Buffer.alloc(at % CHUNK_BYTES || 1, at)]), isResealed: false };
    }
  }
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
