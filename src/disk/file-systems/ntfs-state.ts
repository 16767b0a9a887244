import type { NtfsFile, NtfsVolume } from './ntfs-volume.js';
import { ATTRIBUTE, restoreRecord } from './ntfs-record.js';
import { Inconsistent, u64 } from '../volume.js';

const PAGE_BYTES = 4096;
const CLEAN = 0x2;
const NO_CLIENT = 0xffff;
const MAX_INDEX_BLOCKS = 4096;
const FILE_NAME = 'hiberfil.sys';

/** Whether nothing waits in the log: it was emptied, says so itself, or nobody has it open. */
export async function isLogClean(ntfs: NtfsVolume, log: NtfsFile): Promise<boolean> {
  const pages: Buffer[] = [];
  for (const offset of [0, PAGE_BYTES]) pages.push(Buffer.from(await ntfs.readFile(log, offset, PAGE_BYTES)));
  if (pages.every((page) => page.every((byte) => byte === 0xff))) return true;
  let newest: { lsn: number; isClean: boolean } | undefined;
  for (const page of pages) {
    const restart = readRestart(page);
    if (restart && (!newest || restart.lsn >= newest.lsn)) newest = restart;
  }
  return newest?.isClean ?? false;
}

function readRestart(page: Buffer): { lsn: number; isClean: boolean } | null {
  const signature = page.toString('latin1', 0, 4);
  if (signature !== 'RSTR' && signature !== 'CHKD') return null;
  try {
    const restored = restoreRecord(page, signature);
    const at = restored.readUInt16LE(0x18);
    if (at + 0x30 > restored.byteLength) return null;
    const inUseList = restored.readUInt16LE(at + 0xc);
    return { lsn: u64(restored, at), isClean: inUseList === NO_CLIENT || (restored.readUInt16LE(at + 0xe) & CLEAN) !== 0 };
  } catch (error) {
    if (error instanceof Inconsistent) return null; // the other page counts
    throw error;
  }
}

/** Whether hiberfil.sys in the root folder holds the memory of a sleeping Windows: then it begins with `hibr`. */
export async function isHibernated(ntfs: NtfsVolume, rootRecord: number): Promise<boolean> {
  const record = await findInRoot(ntfs, rootRecord);
  if (record === null) return false;
  const attributes = await ntfs.attributes(record);
  const data = attributes.find(({ type, name }) => type === ATTRIBUTE.data && name === '');
  if (!data || data.isResident || data.runs.length === 0) return false;
  const start = await ntfs.readFile(ntfs.nonResident(attributes, ATTRIBUTE.data, ''), 0, 4);
  return start.toString('latin1').toLowerCase() === 'hibr';
}

/** The record of hiberfil.sys, or null. The whole folder is looked through, in no order. */
async function findInRoot(ntfs: NtfsVolume, rootRecord: number): Promise<number | null> {
  const attributes = await ntfs.attributes(rootRecord);
  const root = attributes.find(({ type, name }) => type === ATTRIBUTE.indexRoot && name === '$I30');
  if (!root?.isResident || root.value.byteLength < 0x20) throw new Inconsistent('it has no root folder');
  const inRoot = findEntry(root.value, 0x10);
  if (inRoot !== null) return inRoot;
  if (!attributes.some(({ type, name }) => type === ATTRIBUTE.indexAllocation && name === '$I30')) {
    if (attributes.some(({ type }) => type === ATTRIBUTE.list)) throw new Inconsistent('its root folder goes on in other records');
    return null;
  }
  const folder = ntfs.nonResident(attributes, ATTRIBUTE.indexAllocation, '$I30');
  const blockBytes = root.value.readUInt32LE(8);
  if (blockBytes < 512 || blockBytes > 65_536 || blockBytes % 512 !== 0) throw new Inconsistent('its root folder is broken');
  const blocks = Math.min(Math.floor(folder.sizeBytes / blockBytes), MAX_INDEX_BLOCKS);
  for (let i = 0; i < blocks; i++) {
    const bytes = await ntfs.readFile(folder, i * blockBytes, blockBytes);
    if (bytes.toString('latin1', 0, 4) !== 'INDX') continue; // not in use
    const found = findEntry(restoreRecord(bytes, 'INDX'), 0x18);
    if (found !== null) return found;
  }
  return null;
}

/** Looks through the entries of an index node whose header is at `header`. */
function findEntry(node: Buffer, header: number): number | null {
  const end = Math.min(header + node.readUInt32LE(header + 4), node.byteLength);
  for (let at = header + node.readUInt32LE(header); at + 0x10 <= end; ) {
    const [entryBytes, keyBytes, flags] = [node.readUInt16LE(at + 8), node.readUInt16LE(at + 10), node.readUInt16LE(at + 12)];
    if (flags & 2 || entryBytes < 0x10) return null; // the last one has no name
    const nameAt = at + 0x10 + 0x42;
    if (keyBytes >= 0x42 && nameAt <= end) {
      const name = node.toString('utf16le', nameAt, Math.min(nameAt + node.readUInt8(nameAt - 2) * 2, end));
      if (name.toLowerCase() === FILE_NAME) return node.readUInt32LE(at) + node.readUInt16LE(at + 4) * 0x1_0000_0000;
    }
    at += entryBytes;
  }
  return null;
}
