import type { Candidate, Collect, FileSystem, Probe } from './file-system.js';
import { probeExFat } from './exfat.js';
import { probeExt } from './ext.js';
import { probeFat } from './fat.js';
import { probeNtfs } from './ntfs.js';
import { probeSignatures } from './signatures.js';
import { probeSwap } from './swap.js';
import { contradiction, type Volume } from '../volume.js';

const READERS: readonly Probe[] = [probeExt, probeNtfs, probeExFat, probeFat, probeSwap];

/** Reads what a volume holds. A reader that finds a contradiction gives a file system saved raw; null: nothing is recognised. */
export async function readFileSystem(volume: Volume, collect: Collect): Promise<FileSystem | null> {
  const candidates = await probeAll(volume);
  const [candidate, ...others] = candidates;
  if (!candidate) return null;
  if (others.length > 0) {
    return unread(volume, 'ambiguous', `looks like ${candidates.map(({ name }) => name).join(' and ')} at once: saved raw`);
  }
  try {
    return await candidate.read(volume, collect);
  } catch (error) {
    return unread(volume, candidate.name, `looks like ${candidate.name}, but ${contradiction(error)}: saved raw`);
  }
}

/** Names of file systems that seem to fill a disk which has a partition table as well: one of the two is stale. */
export async function fileSystemsBesideTable(disk: Volume): Promise<string[]> {
  return (await probeAll(disk)).filter(({ isInFirstSector }) => !isInFirstSector).map(({ name }) => name);
}

async function probeAll(volume: Volume): Promise<Candidate[]> {
  const candidates: Candidate[] = [];
  for (const probe of READERS) {
    const candidate = await probe(volume);
    if (candidate) candidates.push(candidate);
  }
  return [...candidates, ...(await probeSignatures(volume))];
}

function unread(volume: Volume, name: string, note: string): FileSystem {
  return { name, label: null, uuid: null, state: 'unknown', savedAs: 'raw', free: null, sectorCount: volume.sectorCount, notes: [note] };
}
