// biome-ignore format: a table
const MBR_TYPES: Readonly<Record<number, string>> = {
  0x01: 'FAT12', 0x04: 'FAT16', 0x05: 'extended', 0x06: 'FAT16', 0x07: 'NTFS/exFAT', 0x0b: 'FAT32', 0x0c: 'FAT32', 0x0e: 'FAT16', 0x0f: 'extended',
  0x11: 'hidden FAT12', 0x14: 'hidden FAT16', 0x16: 'hidden FAT16', 0x17: 'hidden NTFS', 0x1b: 'hidden FAT32', 0x1c: 'hidden FAT32', 0x1e: 'hidden FAT16',
  0x27: 'Windows recovery', 0x42: 'Windows LDM', 0x82: 'Linux swap', 0x83: 'Linux', 0x85: 'extended', 0x8e: 'Linux LVM', 0xa5: 'FreeBSD', 0xa6: 'OpenBSD',
  0xa8: 'macOS UFS', 0xa9: 'NetBSD', 0xaf: 'HFS+', 0xbe: 'Solaris boot', 0xbf: 'Solaris', 0xda: 'data', 0xe8: 'LUKS', 0xee: 'GPT', 0xef: 'EFI system',
  0xfb: 'VMFS', 0xfd: 'Linux RAID',
};

// biome-ignore format: a table
const GPT_TYPES: Readonly<Record<string, string>> = {
  'c12a7328-f81f-11d2-ba4b-00a0c93ec93b': 'EFI system', '21686148-6449-6e6f-744e-656564454649': 'BIOS boot',
  '0fc63daf-8483-4772-8e79-3d69d8477de4': 'Linux', '0657fd6d-a4ab-43c4-84e5-0933c84b4f4f': 'Linux swap', 'e6d6d379-f507-44c2-a23c-238f2a3df928': 'Linux LVM',
  'a19d880f-05fc-4d3b-a006-743f0f84911e': 'Linux RAID', 'ca7d7ccb-63ed-4c53-861c-1742536059cc': 'LUKS', '933ac7e1-2eb4-4f13-b844-0e14e2aef915': 'Linux home',
  '4f68bce3-e8cd-4db1-96e7-fbcaf984b709': 'Linux root', '44479540-f297-41b2-9af7-d131d5f0458a': 'Linux root', 'b921b045-1df0-41c3-af44-4c6f280d3fae': 'Linux root',
  'bc13c2ff-59e6-4262-a352-b275fd6f7172': 'Linux boot', '3b8f8425-20e0-4f3b-907f-1a25a76f98e8': 'Linux srv', '4d21b016-b534-45c2-a9fb-5c16e091fd2d': 'Linux var',
  'ebd0a0a2-b9e5-4433-87c0-68b6b72699c7': 'Windows data', 'e3c9e316-0b5c-4db8-817d-f92df00215ae': 'Windows reserved',
  'de94bba4-06d1-4d40-a16a-bfd50179d6ac': 'Windows recovery', '5808c8aa-7e8f-42e0-85d2-e1e90434cfb3': 'Windows LDM', 'af9b60a0-1431-4f62-bc68-3311714a69ad': 'Windows LDM',
  '48465300-0000-11aa-aa11-00306543ecac': 'HFS+', '7c3457ef-0000-11aa-aa11-00306543ecac': 'APFS', '516e7cb4-6ecf-11d6-8ff8-00022d09712b': 'FreeBSD',
  '83bd6b9d-7f41-11dc-be0b-001560b84f0f': 'FreeBSD boot', '516e7cb6-6ecf-11d6-8ff8-00022d09712b': 'FreeBSD UFS', '516e7cb5-6ecf-11d6-8ff8-00022d09712b': 'FreeBSD swap',
};

/** What people call a partition of an MBR type. */
export function mbrTypeName(type: number): string | null {
  return MBR_TYPES[type] ?? null;
}

/** What people call a partition of a GPT type, a GUID in lower case. */
export function gptTypeName(guid: string): string | null {
  return GPT_TYPES[guid] ?? null;
}

/** GPT types by the 16-bit short codes of gdisk and of the 2015 imageunzip. */
// biome-ignore format: a table
const GPT_CODES: Readonly<Record<number, string>> = {
  0x0700: 'ebd0a0a2-b9e5-4433-87c0-68b6b72699c7', 0x0c01: 'e3c9e316-0b5c-4db8-817d-f92df00215ae', 0x2700: 'de94bba4-06d1-4d40-a16a-bfd50179d6ac',
  0x4200: 'af9b60a0-1431-4f62-bc68-3311714a69ad', 0x4201: '5808c8aa-7e8f-42e0-85d2-e1e90434cfb3', 0x8200: '0657fd6d-a4ab-43c4-84e5-0933c84b4f4f',
  0x8300: '0fc63daf-8483-4772-8e79-3d69d8477de4', 0x8302: '933ac7e1-2eb4-4f13-b844-0e14e2aef915', 0x8e00: 'e6d6d379-f507-44c2-a23c-238f2a3df928',
  0xa500: '516e7cb4-6ecf-11d6-8ff8-00022d09712b', 0xa501: '83bd6b9d-7f41-11dc-be0b-001560b84f0f', 0xa502: '516e7cb5-6ecf-11d6-8ff8-00022d09712b',
  0xa503: '516e7cb6-6ecf-11d6-8ff8-00022d09712b', 0xa504: '516e7cba-6ecf-11d6-8ff8-00022d09712b', 0xa800: '55465300-0000-11aa-aa11-00306543ecac',
  0xa901: '49f48d32-b10e-11dc-b99b-0019d1879648', 0xab00: '426f6f74-0000-11aa-aa11-00306543ecac', 0xaf00: '48465300-0000-11aa-aa11-00306543ecac',
  0xbf01: '6a898cc3-1dd2-11b2-99a6-080020736631', 0xef00: 'c12a7328-f81f-11d2-ba4b-00a0c93ec93b', 0xef01: '024dee41-33e7-11d3-9d69-0008c781f39f',
  0xef02: '21686148-6449-6e6f-744e-656564454649', 0xfd00: 'a19d880f-05fc-4d3b-a006-743f0f84911e',
};

/** The GUID, in lower case, of a short code (`0x8300`) or of an MBR type (`0x83`); null when there is none. */
export function gptTypeOfCode(code: number): string | null {
  return GPT_CODES[code] ?? (code < 0x100 ? (GPT_CODES[code * 0x100] ?? null) : null);
}
