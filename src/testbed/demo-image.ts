import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { chmod, mkdir, mkdtemp, open, rename, rm, symlink, truncate, writeFile, type FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { SECTOR_BYTES } from '../disk/sector.js';
import { writeImage, zipDisk } from '../ndz/write/writer.js';
import { systemHost, type Host } from '../util/host.js';
import { demoFiles, type DemoFile } from './demo-files.js';

export type DemoImage = {
  /** The raw disk the image was made from, and the image. */
  rawPath: string;
  ndzPath: string;
  /** SHA256 of the raw disk, hex. */
  sha256: string;
  /** The image's name in the disk's /etc/imaging-image. */
  stampName: string;
  /** Whether the partition holds a real file system: without mke2fs it has the same files, one after the other. */
  hasFileSystem: boolean;
};

const STAMP_NAME = 'demo';
const MIN_BYTES = 1024 * 1024;
const LINUX_PARTITION = 0x83;

/**
 * Makes `demo.img`, a disk of `sizeBytes` with a partition table and one Linux file system with real files in it, and
 * `demo.ndz`, its image, in `dir`. Needs no root; mke2fs is used when it is in PATH, /usr/sbin or /sbin. Both files
 * appear when they are complete. Throws RangeError below 1 MiB, and what writing files throws.
 */
export async function makeDemoImage(
  dir: string,
  { sizeBytes, host = systemHost, signal }: { sizeBytes: number; host?: Host; signal?: AbortSignal },
): Promise<DemoImage> {
  if (sizeBytes < MIN_BYTES) throw new RangeError(`a demo disk has at least ${MIN_BYTES} bytes, not ${sizeBytes}`);
  const diskSectors = Math.floor(sizeBytes / SECTOR_BYTES);
  const firstSector = sizeBytes < 8 * MIN_BYTES ? 64 : 2048;
  const stamp = `${new Date(host.now()).toISOString().slice(0, 16).replace('T', '@')} - node none - image ${STAMP_NAME} - by imaging\n`;
  const files = demoFiles(sizeBytes, stamp);
  await mkdir(dir, { recursive: true });
  const work = await mkdtemp(join(dir, '.demo-'));
  try {
    const partition = join(work, 'partition');
    await writeFile(partition, '');
    await truncate(partition, (diskSectors - firstSector) * SECTOR_BYTES);
    const hasFileSystem = await makeFileSystem(partition, files, work, host);
    if (!hasFileSystem) await writePlain(partition, files, (diskSectors - firstSector) * SECTOR_BYTES);
    const raw = join(work, 'raw');
    await writeDisk(raw, partition, firstSector, diskSectors);
    const rawPath = join(dir, 'demo.img');
    const ndzPath = join(dir, 'demo.ndz');
    const options = { checksum: true, ...(signal ? { signal } : {}) };
    // zeros may be left out only where no file system counts on them
    await (hasFileSystem ? zipDisk(raw, ndzPath, options) : writeImage(raw, ndzPath, { ...options, skipHoles: true }));
    await rename(raw, rawPath);
    return { rawPath, ndzPath, sha256: await sha256Of(rawPath), stampName: STAMP_NAME, hasFileSystem };
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** Fills the partition with an ext4 file system by mke2fs; tells whether that worked. */
async function makeFileSystem(partition: string, files: readonly DemoFile[], work: string, host: Host): Promise<boolean> {
  const root = join(work, 'root');
  for (const { path, content, executable } of files) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), content);
    if (executable) await chmod(join(root, path), 0o755);
  }
  await symlink('bin/hello', join(root, 'hello'));
  // features that every imagezip in the field can read, and blocks as large systems have them: etc/imaging-image grows in its first
  const args = [
    '-q',
    '-F',
    '-t',
    'ext4',
    '-b',
    '4096',
    '-O',
    '^64bit,^metadata_csum',
    '-m',
    '0',
    '-L',
    'imaging-demo',
    '-E',
    'root_owner=0:0,nodiscard',
    '-d',
    root,
    partition,
  ];
  const env = { ...host.env, PATH: `${host.env.PATH ?? ''}:/usr/sbin:/sbin` };
  const child = host.spawn('mke2fs', args, { stdio: 'ignore', env });
  try {
    const [code] = (await once(child, 'close')) as unknown[];
    return code === 0;
  } catch {
    return false; // no mke2fs here
  }
}

/** The same files without a file system: each under a line with its name, at the next 4 KiB. */
async function writePlain(partition: string, files: readonly DemoFile[], sizeBytes: number): Promise<void> {
  await writeFile(partition, '');
  const handle = await open(partition, 'r+');
  try {
    let offset = 0;
    for (const { path, content } of files) {
      const bytes = Buffer.concat([Buffer.from(`/${path} ${content.byteLength}\n`), content]);
      if (offset + bytes.byteLength > sizeBytes) break;
      await writeAll(handle, bytes, offset);
      offset = Math.ceil((offset + bytes.byteLength) / 4096) * 4096;
    }
    await handle.truncate(sizeBytes);
  } finally {
    await handle.close();
  }
}

/** A disk: master boot record, then the partition at its place. */
async function writeDisk(path: string, partition: string, firstSector: number, diskSectors: number): Promise<void> {
  const [from, to] = [await open(partition, 'r'), await open(path, 'wx')];
  try {
    await writeAll(to, bootRecord(firstSector, diskSectors - firstSector), 0);
    const buffer = Buffer.alloc(1024 * 1024);
    let offset = firstSector * SECTOR_BYTES;
    for (;;) {
      const { bytesRead } = await from.read(buffer, 0, buffer.byteLength, null);
      if (bytesRead === 0) break;
      await writeAll(to, buffer.subarray(0, bytesRead), offset);
      offset += bytesRead;
    }
    await to.truncate(diskSectors * SECTOR_BYTES);
  } finally {
    await Promise.all([from.close(), to.close()]);
  }
}

function bootRecord(firstSector: number, sectorCount: number): Buffer {
  const sector = Buffer.alloc(SECTOR_BYTES);
  sector.write('\xeb\xfe', 'latin1'); // boot code: jump to itself
  sector.writeUInt32LE(0x1a6e_de30, 440); // disk signature
  // one active partition; cylinder, head and sector are out of range, as on every large disk
  sector.set([0x80, 0xfe, 0xff, 0xff, LINUX_PARTITION, 0xfe, 0xff, 0xff], 446);
  sector.writeUInt32LE(firstSector, 454);
  sector.writeUInt32LE(sectorCount, 458);
  sector.writeUInt16LE(0xaa55, 510);
  return sector;
}

async function writeAll(handle: FileHandle, bytes: Uint8Array, offset: number): Promise<void> {
  for (let done = 0; done < bytes.byteLength; )
    done += (await handle.write(bytes, done, bytes.byteLength - done, offset + done)).bytesWritten;
}

async function sha256Of(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const piece of createReadStream(path, { highWaterMark: 1024 * 1024 }) as AsyncIterable<Uint8Array>) hash.update(piece);
  return hash.digest('hex');
}
