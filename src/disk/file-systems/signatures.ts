import { SECTOR_BYTES } from '../sector.js';
import type { Candidate, FileSystem } from './file-system.js';
import { diskText, uuidText, type Volume } from '../volume.js';

type Signature = {
  name: string;
  offset: number;
  /** In latin1. */
  magic: string;
  uuidOffset?: number;
  label?: { offset: number; length: number };
};

/**
 * What is recognised but not looked into. Among them are containers whose content must not be taken for a file system of
 * their own: what lay there before may still show.
 */
const SIGNATURES: readonly Signature[] = [
  { name: 'xfs', offset: 0, magic: 'XFSB', uuidOffset: 32, label: { offset: 108, length: 12 } },
  { name: 'btrfs', offset: 0x10040, magic: '_BHRfS_M', uuidOffset: 0x10020, label: { offset: 0x1012b, length: 256 } },
  { name: 'bcachefs', offset: 4096 + 24, magic: '\xc6\x85\x73\xf6\x66\xce\x90\xa9\xd9\x6a\x60\xcf\x80\x3d\xf7\xef' },
  { name: 'f2fs', offset: 1024, magic: '\x10\x20\xf5\xf2', uuidOffset: 1024 + 108 },
  { name: 'jfs', offset: 0x8000, magic: 'JFS1', uuidOffset: 0x8000 + 136 },
  { name: 'reiserfs', offset: 0x10034, magic: 'ReIsErFs' },
  { name: 'reiserfs', offset: 0x10034, magic: 'ReIsEr2Fs' },
  { name: 'reiserfs', offset: 0x10034, magic: 'ReIsEr3Fs' },
  { name: 'hfsplus', offset: 1024, magic: 'H+\x00\x04' },
  { name: 'hfsplus', offset: 1024, magic: 'HX\x00\x05' },
  { name: 'apfs', offset: 32, magic: 'NXSB' },
  { name: 'ufs', offset: 8192 + 1372, magic: '\x54\x19\x01\x00' },
  { name: 'ufs', offset: 65_536 + 1372, magic: '\x19\x01\x54\x19' },
  { name: 'iso9660', offset: 0x8001, magic: 'CD001' },
  { name: 'udf', offset: 0x8001, magic: 'BEA01' },
  { name: 'squashfs', offset: 0, magic: 'hsqs' },
  { name: 'erofs', offset: 1024, magic: '\xe2\xe1\xf5\xe0' },
  ...[0, 512, 1024, 1536].map((sector) => ({ name: 'LVM', offset: sector + 24, magic: 'LVM2 001' })),
  { name: 'LUKS', offset: 0, magic: 'LUKS\xba\xbe' },
  { name: 'BitLocker', offset: 3, magic: '-FVE-FS-' },
  { name: 'bcache', offset: 4096 + 24, magic: '\xc6\x85\x73\xf6\x4e\x1a\x45\xca\x82\x65\xf5\x7f\x48\xba\x6d\x81' },
  { name: 'md RAID', offset: 0, magic: '\xfc\x4e\x2b\xa9' },
  { name: 'md RAID', offset: 4096, magic: '\xfc\x4e\x2b\xa9' },
  { name: 'VMFS', offset: 0x100000, magic: '\x0d\xd0\x01\xc0' },
  { name: 'zfs', offset: 128 * 1024, magic: '\x0c\xb1\xba\x00\x00\x00\x00\x00' },
  // the first uberblock is not always there, the checksum of the label is; ZFS leaves the first 8 KiB as they were
  { name: 'zfs', offset: 128 * 1024 - 40, magic: '\x11\x7a\x0c\xb1\x7a\xda\x10\x02' },
  { name: 'Stratis', offset: 512 + 4, magic: '!Stra0tis\x86\xff\x02^\x41rh' },
  { name: 'VDO', offset: 0, magic: 'dmvdo001' },
  { name: 'dm-integrity', offset: 0, magic: 'integrt\x00' },
  { name: 'BlueStore', offset: 0, magic: 'bluestore block device' },
  { name: 'gfs2', offset: 65_536, magic: '\x01\x16\x19\x70' },
  ...[1024, 2048, 4096, 8192].map((offset) => ({ name: 'ocfs2', offset, magic: 'OCFSV2' })),
];

const MD_MAGIC = 0xa92b_4efc;

/** Containers and file systems that are saved whole. All that are found count: two of them mean that one is stale. */
export async function probeSignatures(volume: Volume): Promise<Candidate[]> {
  const found = new Map<string, Candidate>();
  for (const signature of SIGNATURES) {
    const bytes = await volume.peek(signature.offset, signature.magic.length);
    if (bytes?.toString('latin1') !== signature.magic) continue;
    found.set(signature.name, {
      name: signature.name,
      isInFirstSector: signature.offset < SECTOR_BYTES,
      read: (from) => describe(from, signature),
    });
  }
  if (await hasMdAtEnd(volume))
    found.set('md RAID', { name: 'md RAID', read: (from) => describe(from, { name: 'md RAID', offset: 0, magic: '' }) });
  return [...found.values()];
}

async function describe(volume: Volume, { name, uuidOffset, label }: Signature): Promise<FileSystem> {
  const uuid = uuidOffset === undefined ? null : await volume.peek(uuidOffset, 16);
  const text = label ? await volume.peek(label.offset, label.length) : null;
  return {
    name,
    uuid: uuid && uuidText(uuid),
    label: text && diskText(text),
    state: 'unknown',
    savedAs: 'raw',
    free: null,
    sectorCount: volume.sectorCount,
    notes: [`is ${name}, whose free space is not looked for: saved raw`],
  };
}

/** Members of older software RAIDs have their superblock at the end: version 0.90 at 64 KiB, 1.0 at 8 KiB. */
async function hasMdAtEnd(volume: Volume): Promise<boolean> {
  const { sizeBytes } = volume;
  const places = [Math.floor(sizeBytes / 65_536) * 65_536 - 65_536, Math.floor((sizeBytes - 8192) / 4096) * 4096];
  for (const place of places) {
    if ((await volume.peek(place, 4))?.readUInt32LE(0) === MD_MAGIC) return true;
  }
  return false;
}
