import { Inconsistent, u64 } from '../volume.js';

/** NTFS protects every sector of a record with two bytes at its end, whatever the disk's sectors are. */
const STRIDE_BYTES = 512;
const END = 0xffff_ffff;
const MAX_RUNS = 1 << 16;

export const ATTRIBUTE = {
  list: 0x20,
  fileName: 0x30,
  volumeName: 0x60,
  volumeInformation: 0x70,
  data: 0x80,
  indexRoot: 0x90,
  indexAllocation: 0xa0,
} as const;

/** `count` clusters from `firstCluster` on. */
export type ClusterRun = { firstCluster: number; count: number };

/** An attribute without a name: its value, or where its value lies from `firstVcn` on. */
export type Attribute =
  | { type: number; name: string; isResident: true; value: Buffer }
  | { type: number; name: string; isResident: false; firstVcn: number; sizeBytes: number; runs: ClusterRun[] };

/** A record with its protected bytes put back. Throws Inconsistent when it is not `signature`, or was written in part. */
export function restoreRecord(record: Buffer, signature: string): Buffer {
  if (record.toString('latin1', 0, 4) !== signature) throw new Inconsistent(`one of its ${signature} records does not begin as one`);
  const [offset, count] = [record.readUInt16LE(4), record.readUInt16LE(6)];
  const sectors = record.byteLength / STRIDE_BYTES;
  if (count !== sectors + 1 || offset % 2 !== 0 || offset + count * 2 > record.byteLength)
    throw new Inconsistent(`one of its ${signature} records is broken`);
  const restored = Buffer.from(record);
  for (let sector = 1; sector <= sectors; sector++) {
    const end = sector * STRIDE_BYTES - 2;
    if (record.readUInt16LE(end) !== record.readUInt16LE(offset))
      throw new Inconsistent(`one of its ${signature} records was written in part`);
    restored.writeUInt16LE(record.readUInt16LE(offset + sector * 2), end);
  }
  return restored;
}

/** The attributes of a restored FILE record. Throws Inconsistent. */
export function readAttributes(record: Buffer): Attribute[] {
  const broken = (): Inconsistent => new Inconsistent('one of its FILE records is broken');
  const attributes: Attribute[] = [];
  const usedBytes = record.readUInt32LE(0x18);
  if (usedBytes > record.byteLength) throw broken();
  for (let at = record.readUInt16LE(0x14); ; ) {
    if (at + 4 > usedBytes) throw broken();
    if (record.readUInt32LE(at) === END) return attributes;
    if (at + 24 > usedBytes) throw broken();
    const lengthBytes = record.readUInt32LE(at + 4);
    if (lengthBytes < 24 || lengthBytes % 8 !== 0 || at + lengthBytes > usedBytes) throw broken();
    attributes.push(readAttribute(record.subarray(at, at + lengthBytes)));
    at += lengthBytes;
  }
}

function readAttribute(bytes: Buffer): Attribute {
  const broken = (): Inconsistent => new Inconsistent('an attribute of one of its FILE records is broken');
  const slice = (offset: number, length: number): Buffer => {
    if (offset + length > bytes.byteLength) throw broken();
    return bytes.subarray(offset, offset + length);
  };
  const type = bytes.readUInt32LE(0);
  const name = slice(bytes.readUInt16LE(10), bytes.readUInt8(9) * 2).toString('utf16le');
  if (bytes.readUInt8(8) === 0) return { type, name, isResident: true, value: slice(bytes.readUInt16LE(20), bytes.readUInt32LE(16)) };
  if (bytes.byteLength < 0x40) throw broken();
  const runsAt = bytes.readUInt16LE(0x20);
  const runs = readRuns(slice(runsAt, Math.max(0, bytes.byteLength - runsAt)));
  return { type, name, isResident: false, firstVcn: u64(bytes, 0x10), sizeBytes: u64(bytes, 0x30), runs };
}

/** A run list: for each run, a byte with two lengths, the run's length, and how far it starts from the one before. */
function readRuns(bytes: Buffer): ClusterRun[] {
  const runs: ClusterRun[] = [];
  let cluster = 0;
  for (let at = 0; at < bytes.byteLength && bytes[at] !== 0; ) {
    const lengthBytes = bytes.readUInt8(at) & 0xf;
    const offsetBytes = bytes.readUInt8(at) >> 4;
    // a run without a place is a hole; none of the files that are read here may have one
    if (
      lengthBytes === 0 ||
      lengthBytes > 6 ||
      offsetBytes === 0 ||
      offsetBytes > 6 ||
      at + 1 + lengthBytes + offsetBytes > bytes.byteLength ||
      runs.length === MAX_RUNS
    ) {
      throw new Inconsistent('a run list in it is broken');
    }
    const count = bytes.readUIntLE(at + 1, lengthBytes);
    cluster += bytes.readIntLE(at + 1 + lengthBytes, offsetBytes);
    if (count === 0 || cluster < 0) throw new Inconsistent('a run list in it is broken');
    runs.push({ firstCluster: cluster, count });
    at += 1 + lengthBytes + offsetBytes;
  }
  return runs;
}
