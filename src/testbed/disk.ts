import { closeSync, existsSync, openSync, readSync, rmSync, writeFileSync } from 'node:fs';
import { copyFile, link, open, rm, stat, truncate } from 'node:fs/promises';
import { SECTOR_BYTES } from '../disk/sector.js';

const COPY_BYTES = 1 << 20;

/** A node's hard disk, as a sparse file; `PATH.incomplete` stands beside it while it is being written. */
export class NodeDisk {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  /** Makes an empty disk of `sizeBytes`; one that is there is kept, as a machine's would be, unless it was shared. */
  async create(sizeBytes: number): Promise<void> {
    const existing = await stat(this.path).catch(() => null);
    if (existing?.nlink === 1) return;
    await rm(this.path, { force: true });
    await (await open(this.path, 'wx')).close();
    await truncate(this.path, sizeBytes);
  }

  /** Puts a whole raw image on the disk, holes as holes. */
  async fill(rawPath: string): Promise<void> {
    await rm(this.path, { force: true });
    await copySparse(rawPath, this.path);
    this.markComplete();
  }

  /** As `fill`, but shares the file: only for disks nobody writes to. */
  async share(rawPath: string): Promise<void> {
    await rm(this.path, { force: true });
    await link(rawPath, this.path).catch(() => copyFile(rawPath, this.path)); // other file system, or too many links
    this.markComplete();
  }

  /** A system can boot: there is a boot sector with its signature, and no write was cut short. */
  holdsSystem(): boolean {
    if (existsSync(this.#mark)) return false;
    const sector = Buffer.alloc(SECTOR_BYTES);
    const fd = openSync(this.path, 'r');
    try {
      return readSync(fd, sector, 0, SECTOR_BYTES, 0) === SECTOR_BYTES && sector.readUInt16LE(510) === 0xaa55;
    } finally {
      closeSync(fd);
    }
  }

  /** From here until `markComplete` the disk holds half an image. */
  markIncomplete(): void {
    writeFileSync(this.#mark, '');
  }

  markComplete(): void {
    rmSync(this.#mark, { force: true });
  }

  /** Turns every bit of one sector. */
  async corrupt(sectorNumber: number): Promise<void> {
    const handle = await open(this.path, 'r+');
    try {
      const sector = Buffer.alloc(SECTOR_BYTES);
      await handle.read(sector, 0, SECTOR_BYTES, sectorNumber * SECTOR_BYTES);
      for (const [index, byte] of sector.entries()) sector[index] = byte ^ 0xff;
      await handle.write(sector, 0, SECTOR_BYTES, sectorNumber * SECTOR_BYTES);
    } finally {
      await handle.close();
    }
  }

  get #mark(): string {
    return `${this.path}.incomplete`;
  }
}

/** Copies a file and leaves holes where it holds only zeros. */
async function copySparse(from: string, to: string): Promise<void> {
  const { size } = await stat(from);
  const source = await open(from, 'r');
  const target = await open(to, 'w');
  try {
    await target.truncate(size);
    const buffer = Buffer.alloc(COPY_BYTES);
    const zeros = Buffer.alloc(COPY_BYTES);
    for (let offset = 0; offset < size; ) {
      const { bytesRead } = await source.read(buffer, 0, COPY_BYTES, offset);
      if (bytesRead === 0) break;
      const piece = buffer.subarray(0, bytesRead);
      if (!piece.equals(zeros.subarray(0, bytesRead))) await target.write(piece, 0, bytesRead, offset);
      offset += bytesRead;
    }
  } finally {
    await Promise.all([source.close(), target.close()]);
  }
}
