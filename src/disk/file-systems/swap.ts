import { SECTOR_BYTES } from '../sector.js';
import type { Candidate, Collect, FileSystem } from './file-system.js';
import { diskText, Inconsistent, uuidText, type Volume } from '../volume.js';

const PAGE_BYTES = [4096, 8192, 16_384, 32_768, 65_536];
const SIGNATURE_BYTES = 10;
/** As imagezip: enough for boot code in front and for the header of every common page size. */
const HEADER_BYTES = 32 * 1024;
const SLEEPING = new Set(['S1SUSPEND\0', 'S2SUSPEND\0', 'ULSUSPEND\0', 'LINHIB0001']);

/** Linux swap space: the signature ends the first page, whose size is the kernel's that made it. */
export async function probeSwap(volume: Volume): Promise<Candidate | null> {
  for (const pageBytes of PAGE_BYTES) {
    const signature = (await volume.peek(pageBytes - SIGNATURE_BYTES, SIGNATURE_BYTES))?.toString('latin1');
    if (signature === undefined) return null;
    if (signature === 'SWAPSPACE2') return { name: 'swap', read: (from, collect) => readSwap(from, collect, pageBytes) };
    if (SLEEPING.has(signature)) return { name: 'swap', read: (from) => Promise.resolve(sleeping(from)) };
  }
  return null;
}

async function readSwap(volume: Volume, collect: Collect, pageBytes: number): Promise<FileSystem> {
  const header = await volume.read(1024, 44);
  if (header.readUInt32LE(0) !== 1) throw new Inconsistent(`its header has version ${header.readUInt32LE(0)}, not 1`);
  const free = collect();
  free.add(Math.max(HEADER_BYTES, pageBytes) / SECTOR_BYTES, volume.sectorCount);
  return {
    name: 'swap',
    uuid: uuidText(header.subarray(12, 28)),
    label: diskText(header.subarray(28, 44)),
    state: 'clean',
    savedAs: 'header-only',
    free,
    sectorCount: volume.sectorCount,
    notes: [],
  };
}

/** A system that is suspended to disk keeps its memory here. */
function sleeping(volume: Volume): FileSystem {
  return {
    name: 'swap',
    uuid: null,
    label: null,
    state: 'hibernated',
    savedAs: 'raw',
    free: null,
    sectorCount: volume.sectorCount,
    notes: ['holds the memory of a hibernated system: saved raw; shut the system down for a smaller image'],
  };
}
