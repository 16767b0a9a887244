import { readFile, type FileHandle } from 'node:fs/promises';
import { setImmediate } from 'node:timers/promises';
import { arenas } from './arena.js';
import { capability } from './capability.js';
import type { Library } from './library.js';
import { systemError } from './system-error.js';

/** Requests of ioctl, as the kernel numbers them on x86 and ARM. */
const BLKROGET = 0x125e;
const BLKRRPART = 0x125f;
const BLKFLSBUF = 0x1261;
const BLKSSZGET = 0x1268;
const BLKDISCARD = 0x1277;
const BLKPBSZGET = 0x127b;
const BLKZEROOUT = 0x127f;
const BLKGETSIZE64 = 0x80081272;

/** What a block device says of itself. */
export type DeviceFacts = {
  sizeBytes: number;
  /** The least that can be read or written; 512, or 4096. */
  logicalSectorBytes: number;
  /** What it works in by itself. */
  physicalSectorBytes: number;
  isReadOnly: boolean;
};

/** A part of a device, in bytes: multiples of its logical sectors. */
export type DeviceRange = { start: number; sizeBytes: number };

/** What only the kernel can do to an open block device. All of it throws system errors: ENOTTY for what is none. */
export type BlockDevices = {
  facts(fd: number): DeviceFacts;
  /** Writes out what the page cache holds of it, and forgets it: what is read next comes from the device. Needs root (EACCES). */
  dropCache(fd: number): void;
  /** Reads its partition table anew. EBUSY while a partition is in use; needs root (EACCES). */
  rereadPartitions(fd: number): void;
  /** Tells it that a part is not needed any more; what it reads as then is the device's affair. EOPNOTSUPP where it has no use for that. */
  discard(fd: number, range: DeviceRange, signal?: AbortSignal): Promise<void>;
  /** Makes a part read as zeros, by the quickest means the device has. The device must be open for writing (EBADF). */
  zero(fd: number, range: DeviceRange, signal?: AbortSignal): Promise<void>;
};

/** So much at a time, as these calls hold up their thread: a slow card zeros it in a second. */
const ZERO_STEP_BYTES = 16 << 20;
const DISCARD_STEP_BYTES = 1 << 30;

export const blockDevices = capability<BlockDevices>(
  {
    name: 'block-devices',
    does: 'asks block devices what they are, and has them zero, discard, flush and read partitions anew (ioctl)',
    without: '/sys says what they are, zeros are written; nothing is discarded, and caches are not dropped',
  },
  openBlockDevices,
);

function openBlockDevices(library: Library): BlockDevices {
  const call = library.func('int ioctl(int, unsigned long, int64_t)');
  const memory = arenas(library)(16);
  const ioctl = (fd: number, request: number, argument: bigint, name: string): void => {
    if (call(fd, request, argument) < 0) throw systemError(library.errno(), name);
  };
  const asked = (fd: number, request: number, name: string): DataView => {
    memory.view.setBigUint64(0, 0n, true);
    ioctl(fd, request, memory.address, name);
    return memory.view;
  };
  const inSteps = async (step: number, { start, sizeBytes }: DeviceRange, work: (range: bigint) => void, signal?: AbortSignal) => {
    for (let done = 0; done < sizeBytes; done += step) {
      signal?.throwIfAborted();
      memory.view.setBigUint64(0, BigInt(start + done), true);
      memory.view.setBigUint64(8, BigInt(Math.min(step, sizeBytes - done)), true);
      work(memory.address);
      await setImmediate();
    }
  };
  return {
    facts: (fd) => ({
      sizeBytes: Number(asked(fd, BLKGETSIZE64, 'BLKGETSIZE64').getBigUint64(0, true)),
      logicalSectorBytes: asked(fd, BLKSSZGET, 'BLKSSZGET').getInt32(0, true),
      physicalSectorBytes: asked(fd, BLKPBSZGET, 'BLKPBSZGET').getUint32(0, true),
      isReadOnly: asked(fd, BLKROGET, 'BLKROGET').getInt32(0, true) !== 0,
    }),
    dropCache: (fd) => ioctl(fd, BLKFLSBUF, 0n, 'BLKFLSBUF'),
    rereadPartitions: (fd) => ioctl(fd, BLKRRPART, 0n, 'BLKRRPART'),
    discard: (fd, range, signal) => inSteps(DISCARD_STEP_BYTES, range, (argument) => ioctl(fd, BLKDISCARD, argument, 'BLKDISCARD'), signal),
    zero: (fd, range, signal) => inSteps(ZERO_STEP_BYTES, range, (argument) => ioctl(fd, BLKZEROOUT, argument, 'BLKZEROOUT'), signal),
  };
}

/** What an open block device says of itself, by ioctl or by /sys. Throws system errors: ENOTTY for what is none, ENOENT without /sys. */
export async function deviceFacts(handle: FileHandle): Promise<DeviceFacts> {
  const devices = await blockDevices.get();
  return devices ? devices.facts(handle.fd) : factsInSys(handle);
}

async function factsInSys(handle: FileHandle): Promise<DeviceFacts> {
  const stat = await handle.stat();
  if (!stat.isBlockDevice()) throw systemError(25, 'stat'); // ENOTTY, as ioctl
  // dev_t as glibc lays it out: 12 bits of major at 8, 20 bits of minor around it
  const major = Math.floor(stat.rdev / 256) % 4096;
  const minor = (stat.rdev % 256) + Math.floor(stat.rdev / 1_048_576) * 256;
  const home = `/sys/dev/block/${major}:${minor}`;
  const number = async (name: string): Promise<number> => Number(await readFile(`${home}/${name}`, 'latin1'));
  // a partition has the queue of its disk
  const ofQueue = (name: string): Promise<number> => number(`queue/${name}`).catch(() => number(`../queue/${name}`));
  return {
    // in units of 512 bytes whatever the device's own sectors are
    sizeBytes: (await number('size')) * 512,
    logicalSectorBytes: await ofQueue('logical_block_size'),
    physicalSectorBytes: await ofQueue('physical_block_size'),
    isReadOnly: (await number('ro')) !== 0,
  };
}

/** Makes a part of an open block device read as zeros: by the device, or by writing them. Throws system errors, or the signal's reason. */
export async function zeroRange(handle: FileHandle, { start, sizeBytes }: DeviceRange, signal?: AbortSignal): Promise<void> {
  const devices = await blockDevices.get();
  if (devices) return devices.zero(handle.fd, { start, sizeBytes }, signal);
  const zeros = Buffer.alloc(Math.min(1 << 20, sizeBytes));
  for (let done = 0; done < sizeBytes; ) {
    signal?.throwIfAborted();
    const { bytesWritten } = await handle.write(zeros, 0, Math.min(zeros.length, sizeBytes - done), start + done);
    done += bytesWritten;
  }
  await handle.datasync();
}
