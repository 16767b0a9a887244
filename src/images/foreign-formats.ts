/** A format that no disk is made of: what it is, and what to do instead. */
export type ForeignFormat = { is: string; instead: string };

type Row = readonly [is: string, instead: string, offset: number, magic: string];

/** As much of a file as `foreignFormat` needs to see. */
export const FOREIGN_HEAD_BYTES = 0x8006;
const SECTOR_END = 510;
const TEXT_BYTES = 512;

const unpackWith = (program: string): string => `unpack it first, with ${program}`;
const TO_RAW = 'make it a raw disk first: qemu-img convert -O raw IMAGE IMAGE.raw';
const CD = 'a CD starts no node from its disk: load a disk image, or one that is both (a hybrid)';
const DOWNLOAD = 'download the image itself: what came is a page about it';

/** One format a row; texts are latin1. */
const ROWS: readonly Row[] = [
  ['a zip archive', unpackWith('unzip'), 0, 'PK\x03\x04'],
  ['an empty zip archive', unpackWith('unzip'), 0, 'PK\x05\x06'],
  ['a 7z archive', unpackWith('7z x'), 0, '7z\xbc\xaf\x27\x1c'],
  ['a rar archive', unpackWith('unrar'), 0, 'Rar!\x1a\x07'],
  ['compressed by lz4', unpackWith('lz4 -d'), 0, '\x04\x22\x4d\x18'],
  ['compressed by lz4, in its old format', unpackWith('lz4 -d'), 0, '\x02\x21\x4c\x18'],
  ['compressed by lzip', unpackWith('lzip -d'), 0, 'LZIP'],
  ['compressed by lzop', unpackWith('lzop -d'), 0, '\x89LZO\x00\x0d\x0a\x1a\x0a'],
  ['compressed by lzma', unpackWith('xz -d --format=lzma'), 0, '\x5d\x00\x00'],
  ['compressed by compress', unpackWith('gzip -d'), 0, '\x1f\x9d'],
  ['a tar archive', unpackWith('tar -xf, and load the image in it'), 257, 'ustar'],
  ['a cpio archive', unpackWith('cpio -i'), 0, '070701'],
  ['a Debian package', 'load an image, not a package', 0, '!<arch>\ndebian-binary'],
  ['an ar archive', unpackWith('ar x'), 0, '!<arch>\n'],
  ['an RPM package', 'load an image, not a package', 0, '\xed\xab\xee\xdb'],
  ['a disk in qcow2 format', TO_RAW, 0, 'QFI\xfb'],
  ['a disk in QED format', TO_RAW, 0, 'QED\x00'],
  ['a disk in VMDK format', TO_RAW, 0, 'KDMV'],
  ['a disk in VMDK format', TO_RAW, 0, 'COWD'],
  ['the description of a disk in VMDK format', TO_RAW, 0, '# Disk DescriptorFile'],
  ['a disk in VDI format', TO_RAW, 64, '\x7f\x10\xda\xbe'],
  ['a disk in VHDX format', TO_RAW, 0, 'vhdxfile'],
  ['a disk in VHD format', TO_RAW, 0, 'conectix'],
  ['a sparse image of Android', 'make it a raw disk first: simg2img IMAGE IMAGE.raw', 0, '\x3a\xff\x26\xed'],
  ['an image of partclone', 'make it a raw disk first: partclone.restore -C -s IMAGE -O IMAGE.raw', 0, 'partclone-image'],
  ['an image of partimage', 'restore it with partimage, and make an image of that disk', 0, 'PaRtImAgE-VoLuMe'],
  ['an image of ntfsclone', 'make it a raw disk first: ntfsclone -r -O IMAGE.raw IMAGE', 0, '\x00ntfsclone-image'],
  ['an archive of fsarchiver', 'restore it with fsarchiver, and make an image of that disk', 0, 'FsArCh_002'],
  ['a WIM archive', unpackWith('wimapply'), 0, 'MSWIM\x00\x00\x00'],
  ['an EWF image', 'make it a raw disk first: ewfexport', 0, 'EVF\x09\x0d\x0a\xff\x00'],
  ['a stream of btrfs send', 'receive it with btrfs receive, and make an image of that disk', 0, 'btrfs-stream\x00'],
  ['a squashfs, as it lies inside of a CD', 'load a disk image', 0, 'hsqs'],
  ['a CD image without a partition table', CD, 0x8001, 'CD001'],
  ['a program', 'name the image', 0, '\x7fELF'],
  ['a PDF document', 'name the image', 0, '%PDF-'],
  ['a pointer of Git LFS, not the file itself', 'git lfs pull brings the file', 0, 'version https://git-lfs.github.com/'],
];

/** Texts by how they begin, blanks, capitals and the XML declaration aside. */
const TEXTS: readonly (readonly [is: string, instead: string, begins: RegExp])[] = [
  ['a page of HTML', DOWNLOAD, /^<(?:!doctype html|html|head|body)/],
  ['a block map (.bmap)', 'name the image that it is of; a .bmap beside an image is read with it', /^<bmap[\s>]/],
  ['a text of XML', DOWNLOAD, /^<[a-z]/],
];

/** What a file is when it begins like something that no disk is made of; null when a disk may begin like that. */
export function foreignFormat(head: Buffer): ForeignFormat | null {
  if (head.byteLength > SECTOR_END + 1 && head.readUInt16LE(SECTOR_END) === 0xaa55) return null; // a boot sector: a disk, whatever else it is
  const row = ROWS.find(([, , offset, magic]) => head.toString('latin1', offset, offset + magic.length) === magic);
  if (row) return { is: row[0], instead: row[1] };
  const begin = head
    .toString('utf8', 0, 4096)
    .replace(/^\ufeff?\s*(?:<\?xml[^>]{0,200}>)?/, '')
    .replace(/^(?:\s|<!--(?:[^-]|-[^-]){0,3500}-->)+/, '')
    .slice(0, 100)
    .toLowerCase();
  const text = isText(head) ? TEXTS.find(([, , begins]) => begins.test(begin)) : undefined;
  return text ? { is: text[0], instead: text[1] } : null;
}

/** Whether a file begins with nothing but what can be read, as no disk does. */
export function isText(head: Buffer): boolean {
  const begin = head.subarray(0, TEXT_BYTES);
  return begin.byteLength > 0 && begin.every((byte) => (byte >= 0x20 ? byte !== 0x7f : [0x09, 0x0a, 0x0c, 0x0d].includes(byte)));
}
