import { readdir, readFile, realpath, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { SECTOR_BYTES } from './sector.js';

/** A part of a disk that this machine has in use, in its 512-byte sectors. */
export type InUse = { startSector: number; endSector: number; how: 'mounted' | 'swap' | 'held'; where: string };

export type DiskUse = { sectorBytes: number; inUse: InUse[] };

const IDLE: DiskUse = { sectorBytes: SECTOR_BYTES, inUse: [] };

/**
 * What Linux says of a disk: its logical sectors, and which parts of it are mounted, swapped to, or held by LVM, RAID or
 * encryption. `path`: a block device, or a file that may be attached to a loop device. Says nothing of other paths,
 * and where there is no /sys.
 */
export async function readDiskUse(path: string): Promise<DiskUse> {
  try {
    const stats = await stat(path);
    if (stats.isFile()) return await fileUse(await realpath(path));
    return stats.isBlockDevice() ? await deviceUse(basename(await realpath(path))) : IDLE;
  } catch {
    return IDLE;
  }
}

/** What this machine does with sectors of a disk, as `is mounted on /srv`; null when nothing. */
export function useOf({ inUse }: DiskUse, startSector: number, endSector: number): string | null {
  const found = inUse.find((use) => use.startSector < endSector && use.endSector > startSector);
  return found ? { mounted: `is mounted on ${found.where}`, swap: 'is swapped to', held: `is in use by ${found.where}` }[found.how] : null;
}

async function fileUse(path: string): Promise<DiskUse> {
  const loops = (await readdir('/sys/block')).filter((name) => name.startsWith('loop'));
  const inUse: InUse[] = [];
  for (const loop of loops) {
    const backing = await readText(`/sys/block/${loop}/loop/backing_file`);
    if (backing !== path) continue;
    const shift = Math.floor(Number(await readText(`/sys/block/${loop}/loop/offset`)) / 512);
    for (const use of (await deviceUse(loop)).inUse)
      inUse.push({ ...use, startSector: use.startSector + shift, endSector: use.endSector + shift });
  }
  return { ...IDLE, inUse };
}

/** `name`: as in /sys/class/block; a disk, or a partition by itself. */
async function deviceUse(name: string): Promise<DiskUse> {
  const home = await realpath(join('/sys/class/block', name));
  const [mounts, swaps] = [await readText('/proc/self/mountinfo'), await readText('/proc/swaps')];
  const parts = (await readdir(home)).filter((entry) => entry.startsWith(name));
  const inUse: InUse[] = [];
  for (const part of ['', ...parts]) {
    const folder = join(home, part);
    const sectorCount = Number(await readText(join(folder, 'size')));
    const startSector = part === '' ? 0 : Number(await readText(join(folder, 'start')));
    if (!(sectorCount > 0)) continue;
    const device = part || name;
    const range = { startSector, endSector: startSector + sectorCount };
    const where = mountPoint(mounts, await readText(join(folder, 'dev')), device);
    if (where !== null) inUse.push({ ...range, how: 'mounted', where });
    if (swaps.split('\n').some((line) => line.startsWith(`/dev/${device} `)))
      inUse.push({ ...range, how: 'swap', where: `/dev/${device}` });
    const holders = await readdir(join(folder, 'holders')).catch(() => []);
    if (holders.length > 0) inUse.push({ ...range, how: 'held', where: holders.join(', ') });
  }
  const sectorBytes = Number(
    (await readText(join(home, 'queue/logical_block_size'))) || (await readText(join(home, '../queue/logical_block_size'))),
  );
  return { sectorBytes: sectorBytes === 4096 ? 4096 : SECTOR_BYTES, inUse };
}

/** Where a device is mounted, by its number, or (btrfs has numbers of its own) by its name. */
function mountPoint(mounts: string, number: string, device: string): string | null {
  for (const line of mounts.split('\n')) {
    const words = line.split(' ');
    const source = words[words.indexOf('-') + 2];
    if (words[2] === number || source === `/dev/${device}`) return (words[4] ?? '').replace(/\\040/g, ' ');
  }
  return null;
}

async function readText(path: string): Promise<string> {
  return (await readFile(path, 'utf8').catch(() => '')).trim();
}
