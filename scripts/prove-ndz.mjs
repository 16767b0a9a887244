// Proves on real file systems that an image loses nothing: node scripts/prove-ndz.mjs [words of the cases' names…]
// Each file system is made by its own program, filled, fragmented, saved, and restored over 0xFF, so that a sector which was
// in use and is not in the image shows: its own checker must find it clean, every file must be what it was, and every block
// that it calls used must be the same. Saved and restored by ours and, with IMAGING_REAL_FRISBEE=<folder with imagezip and
// imageunzip>, by the real programs in every combination that they accept. Needs root, loop devices, and the file systems'
// programs; says what it leaves out and why. PROVE_DIR: where the disks lie (memory, if there is /dev/shm).
import { spawn, spawnSync } from 'node:child_process';
import { createCipheriv, createHash } from 'node:crypto';
import {
  closeSync,
  copyFileSync,
  existsSync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readlinkSync,
  readSync,
  rmSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

// in a mount namespace of its own: a copy of the mounts in another one would keep file systems alive after umount
if (process.getuid() === 0 && process.env.PROVE_UNSHARED === undefined) {
  const child = spawn('unshare', ['--mount', '--propagation', 'private', process.execPath, ...process.argv.slice(1)], {
    stdio: 'inherit',
    env: { ...process.env, PROVE_UNSHARED: '1' },
  });
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill(signal)); // it ends behind the case at hand
  const [status] = await once(child, 'close');
  process.exit(status ?? 1);
}

const MIB = 1024 * 1024;
const START = 2048; // the partition's first sector
const real = process.env.IMAGING_REAL_FRISBEE;
const imaging = fileURLToPath(new URL('../bin/imaging-image', import.meta.url));
process.env.PATH = `${process.env.PATH}:/usr/sbin:/sbin`;
process.env.LC_ALL = 'C';
const folder = mkdtempSync(join(process.env.PROVE_DIR ?? (existsSync('/dev/shm') ? '/dev/shm' : tmpdir()), 'imaging-prove-'));
const at = (name) => join(folder, name);
const undo = [];
const cleanUp = () => {
  for (const step of undo.splice(0).reverse()) step();
  rmSync(folder, { recursive: true, force: true });
};
process.once('exit', cleanUp);
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(130));

function tool(program, args, { input, accept = [0] } = {}) {
  const { status, stdout, stderr, error } = spawnSync(program, args, { encoding: 'utf8', input, maxBuffer: 1 << 28 });
  if (error) throw error;
  if (!accept.includes(status))
    throw new Error(`${program} ${args.join(' ')}: status ${status}\n${stdout.slice(-2000)}${stderr.slice(-2000)}`);
  return stdout;
}
const missing = (programs) => programs.filter((program) => spawnSync('sh', ['-c', `command -v "$0"`, program]).status !== 0);

/** Small, repeatable: the same disks each time but for what the programs themselves make up. */
let seed = 20_150_514;
function roll(limit) {
  seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
  return Math.floor((seed / 4_294_967_296) * limit);
}
const noise = createCipheriv('aes-128-ctr', Buffer.alloc(16, 'key'), Buffer.alloc(16)).update(Buffer.alloc(40 * MIB));
function content(sizeBytes) {
  if (roll(3) === 0) return Buffer.alloc(sizeBytes, `words that compress well, ${roll(1e6)}\n`);
  const from = roll(8 * MIB);
  return noise.subarray(from, from + sizeBytes);
}
const fileBytes = () => [0, 1, 60, 150, 900, 4096, 5000, 33_000, 70_000, 300_000, 2_000_000][roll(11)] + roll(50);

/** Fills a folder to about `share` of `roomBytes`, takes every third file away again, and fills the holes. */
function fillFolder(root, roomBytes, { links = true, share = 0.5 } = {}) {
  let used = 0;
  let number = 0;
  const names = [];
  const add = (limit) => {
    while (used < limit && number < 6000) {
      const directory = join(root, `d${number % 23}`);
      mkdirSync(directory, { recursive: true });
      const name = join(directory, `file-${number++}${'x'.repeat(number % 50 === 0 ? 180 : 0)}`);
      const bytes = content(Math.min(fileBytes(), Math.floor(roomBytes / 10)));
      writeFileSync(name, bytes);
      names.push([name, bytes.byteLength]);
      used += bytes.byteLength + 1024;
      if (links && number % 40 === 0) {
        rmSync(`${name}.link`, { force: true });
        symlinkSync(number % 80 === 0 ? '../t'.repeat(25) : 'short', `${name}.link`);
      }
    }
  };
  add(roomBytes * share);
  for (const [i, [name, sizeBytes]] of names.entries()) {
    if (i % 3 !== 1) continue;
    rmSync(name);
    used -= sizeBytes + 1024;
  }
  add(roomBytes * share * 0.95);
  if (links) {
    // a file with a hole, whose end is far away
    const fd = openSync(join(root, 'sparse'), 'w');
    writeSync(fd, 'begin', 0);
    writeSync(fd, 'end', Math.floor(roomBytes * 3));
    closeSync(fd);
  }
}

/** Everything below a folder: kind, mode, size, checksum. */
function manifest(root) {
  const lines = [];
  const walk = (path, shown) => {
    for (const name of readdirSync(path).sort()) {
      const child = join(path, name);
      const stats = lstatSync(child);
      if (stats.isDirectory()) {
        lines.push(`${shown}/${name}/ ${stats.mode}`);
        if (name !== 'lost+found') walk(child, `${shown}/${name}`);
      } else if (stats.isSymbolicLink()) lines.push(`${shown}/${name} -> ${readlinkSync(child)}`);
      else lines.push(`${shown}/${name} ${stats.mode} ${stats.size} ${sha(child)}`);
    }
  };
  walk(root, '');
  return lines.join('\n');
}

function sha(path) {
  const hash = createHash('sha256');
  const fd = openSync(path, 'r');
  const buffer = Buffer.alloc(MIB);
  for (let count = readSync(fd, buffer); count > 0; count = readSync(fd, buffer)) hash.update(buffer.subarray(0, count));
  closeSync(fd);
  return hash.digest('hex');
}

/** Runs `work` with a block device that is a part of a file. */
function withLoop(file, work, { partBytes, readOnly = false } = {}) {
  const part = partBytes === undefined ? [] : ['-o', String(START * 512), '--sizelimit', String(partBytes)];
  const device = tool('losetup', ['-f', '--show', ...(readOnly ? ['-r'] : []), ...part, file]).trim();
  const detach = () => void spawnSync('losetup', ['-d', device]);
  undo.push(detach);
  try {
    return work(device);
  } finally {
    undo.splice(undo.indexOf(detach), 1);
    detach();
  }
}

function withMount(device, kind, options, work) {
  const point = at('point');
  mkdirSync(point, { recursive: true });
  if (kind === 'exfat') tool('mount.exfat-fuse', [...(options === 'ro' ? ['-o', 'ro'] : []), device, point]);
  else if (kind === 'ntfs') tool('ntfs-3g', [...(options === 'ro' ? ['-o', 'ro'] : []), device, point]);
  else tool('mount', ['-t', kind, ...(options ? ['-o', options] : []), device, point]);
  const unmount = () => void spawnSync('umount', [point]);
  undo.push(unmount);
  try {
    return work(point);
  } finally {
    undo.splice(undo.indexOf(unmount), 1);
    tool('umount', [point]);
  }
}

/** How a family of file systems is made, filled, checked and read back; `used` gives the used byte ranges of a partition, if somebody tells. */
const ext = (kind, options, roomShare = 1) => ({
  needs: ['mke2fs', 'e2fsck', 'dumpe2fs'],
  make: (device) => void tool('mke2fs', ['-q', '-F', '-t', kind, ...options, '-E', `nodiscard${extended(options)}`, device]),
  fill: (device, bytes) => withMount(device, kind, '', (point) => fillFolder(point, Math.min(bytes * roomShare, 250 * MIB), {})),
  check: (device) => void tool('e2fsck', ['-fn', device]),
  read: (device) => withMount(device, kind, 'ro', manifest),
  used: (device) => usedByDumpe2fs(tool('dumpe2fs', [device])),
});
/** -E can be given once only. */
function extended(options) {
  const i = options.indexOf('-E');
  return i < 0 ? '' : `,${options.splice(i, 2)[1]}`;
}

function usedByDumpe2fs(text) {
  const number = (name) => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(text)[1]);
  const [blockBytes, blockCount] = [number('Block size'), number('Block count')];
  // with bigalloc it names the first block of the last cluster
  const perCluster = /^Cluster size:/m.test(text) ? number('Cluster size') / blockBytes : 1;
  const free = [...text.matchAll(/^ {2}Free blocks: (.*)$/gm)]
    .flatMap(([, list]) => list.split(', ').filter((range) => range !== ''))
    .map((range) => range.split('-').map(Number))
    .map(([from, to = from]) => [from * blockBytes, (to + perCluster) * blockBytes]);
  const used = [];
  let position = 0;
  for (const [from, to] of free) {
    if (from > position) used.push([position, from]);
    position = to;
  }
  return [...used, [position, Math.max(position, blockCount * blockBytes)]];
}

const fat = (options) => ({
  needs: ['mkfs.vfat', 'fsck.vfat', 'mcopy', 'mdel'],
  make: (device) => void tool('mkfs.vfat', [...options, device]),
  fill(device, bytes) {
    const source = at('fat-files');
    rmSync(source, { recursive: true, force: true });
    mkdirSync(source);
    fillFolder(source, Math.min(bytes, 120 * MIB), { links: false, share: 0.4 });
    tool('mcopy', ['-s', '-Q', '-i', device, ...readdirSync(source).map((name) => join(source, name)), '::/']);
    // holes among the clusters, filled again
    const gone = Array.from({ length: 10 }, (_, i) => `d${i}`).filter((name) => existsSync(join(source, name)));
    for (const name of gone) {
      for (const file of readdirSync(join(source, name)).filter((_, i) => i % 2 === 0)) {
        tool('mdel', ['-i', device, `::/${name}/${file}`]);
        rmSync(join(source, name, file));
      }
    }
    writeFileSync(join(source, 'late'), content(Math.min(bytes * 0.25, 30 * MIB)));
    tool('mcopy', ['-Q', '-i', device, join(source, 'late'), '::/']);
  },
  check: (device) => void tool('fsck.vfat', ['-n', device]),
  read(device) {
    const out = at('fat-back');
    rmSync(out, { recursive: true, force: true });
    mkdirSync(out);
    tool('mcopy', ['-s', '-n', '-i', device, '::/*', out]);
    return manifest(out);
  },
});

const fuse = (kind, makeArgs, checker, needs) => ({
  needs: ['fusermount', ...needs],
  make: (device) => void tool(...makeArgs(device)),
  fill: (device, bytes) => withMount(device, kind, '', (point) => fillFolder(point, Math.min(bytes, 200 * MIB), { links: false })),
  check: (device) => void checker(device),
  read: (device) => withMount(device, kind, 'ro', manifest),
});
const ntfs = (options = []) =>
  fuse(
    'ntfs',
    (device) => ['mkntfs', ['-q', '-Q', '-F', '-p', String(START), '-H', '255', '-S', '63', ...options, device]],
    (device) => tool('ntfsfix', ['-n', device]),
    ['mkntfs', 'ntfsfix', 'ntfs-3g'],
  );
const exfat = (options = []) =>
  fuse(
    'exfat',
    (device) => ['mkfs.exfat', [...options, device]],
    (device) => tool('fsck.exfat', ['-n', device]),
    ['mkfs.exfat', 'fsck.exfat', 'mount.exfat-fuse'],
  );
const kernel = (kind, make, check, needs) => ({
  needs,
  make: (device) => void tool(...make(device)),
  fill: (device, bytes) => withMount(device, kind, '', (point) => fillFolder(point, Math.min(bytes, 100 * MIB), {})),
  check: (device) => void tool(...check(device)),
  read: (device) => withMount(device, kind, 'ro', manifest),
});
const swap = {
  needs: ['mkswap'],
  make: (device) => void tool('mkswap', ['-L', 'swap', '-U', '00112233-4455-6677-8899-aabbccddeeff', device]),
  fill: () => undefined,
  check: () => undefined,
  read: (device) =>
    tool('blkid', ['-p', '-o', 'export', device])
      .split('\n')
      .filter((line) => !line.startsWith('DEVNAME'))
      .join('\n'),
};

/** name, type of its partition in an MBR (or a GPT), MiB, family */
const cases = [
  ['ext2', 0x83, 200, ext('ext2', [])],
  ['ext2 with blocks of 1 KiB', 0x83, 120, ext('ext2', ['-b', '1024'])],
  ['ext2 without sparse_super, revision of old', 0x83, 100, ext('ext2', ['-b', '1024', '-O', 'none'])],
  ['ext3', 0x83, 300, ext('ext3', [])],
  ['ext3 with blocks of 1 KiB', 0x83, 150, ext('ext3', ['-b', '1024'])],
  ['ext4 of today', 0x83, 600, ext('ext4', [])],
  ['ext4 without 64bit', 0x83, 300, ext('ext4', ['-O', '^64bit'])],
  ['ext4 with blocks of 1 KiB', 0x83, 200, ext('ext4', ['-b', '1024'])],
  ['ext4 with blocks of 2 KiB, without flex_bg', 0x83, 200, ext('ext4', ['-b', '2048', '-O', '^flex_bg'])],
  ['ext4 with bigalloc', 0x83, 400, ext('ext4', ['-O', 'bigalloc'])],
  ['ext4 with bigalloc, 1 KiB blocks in clusters of 16', 0x83, 300, ext('ext4', ['-b', '1024', '-C', '16384', '-O', 'bigalloc'])],
  ['ext4 with meta_bg', 0x83, 300, ext('ext4', ['-b', '1024', '-O', 'meta_bg,^resize_inode'])],
  ['ext4 with meta_bg, small groups', 0x83, 300, ext('ext4', ['-b', '1024', '-g', '1024', '-O', 'meta_bg,^resize_inode,^64bit'])],
  ['ext4 with uninit_bg', 0x83, 300, ext('ext4', ['-O', '^metadata_csum,uninit_bg'])],
  ['ext4 with uninit_bg, without 64bit', 0x83, 300, ext('ext4', ['-b', '1024', '-O', '^metadata_csum,uninit_bg,^64bit'])],
  ['ext4 without any checksum', 0x83, 300, ext('ext4', ['-O', '^metadata_csum,^uninit_bg'])],
  ['ext4 with inline_data', 0x83, 200, ext('ext4', ['-I', '1024', '-O', 'inline_data'])],
  [
    'ext4 with encrypt, casefold, verity, quota, project',
    0x83,
    300,
    {
      ...ext('ext4', ['-O', 'encrypt,casefold,verity,quota,project']),
      needs: ['mke2fs', 'debugfs'],
      fill: fillByDebugfs,
      read: readByDebugfs,
      after: (device) => void tool('e2fsck', ['-fy', device], { accept: [0, 1] }),
    },
  ],
  [
    'ext4 with metadata_csum_seed, another uuid since',
    0x83,
    200,
    {
      ...ext('ext4', ['-O', 'metadata_csum_seed']),
      needs: ['mke2fs', 'tune2fs'],
      after: (device) => void tool('tune2fs', ['-U', 'random', device]),
    },
  ],
  ['ext4 with orphan_file, large_dir, ea_inode', 0x83, 200, ext('ext4', ['-O', 'orphan_file,large_dir,ea_inode'])],
  ['ext4 with sparse_super2', 0x83, 500, ext('ext4', ['-O', 'sparse_super2,^resize_inode'])],
  ['ext4 with mmp', 0x83, 200, ext('ext4', ['-O', 'mmp'])],
  ['ext4 with fast_commit', 0x83, 200, ext('ext4', ['-O', 'fast_commit'])],
  ['ext4 with stride and a packed group of tables', 0x83, 400, ext('ext4', ['-G', '256', '-E', 'packed_meta_blocks=1'])],
  [
    'ext4 that was grown',
    0x83,
    400,
    {
      ...ext('ext4', []),
      needs: ['mke2fs', 'resize2fs'],
      make: (device) => {
        tool('mke2fs', ['-q', '-F', '-t', 'ext4', '-E', 'nodiscard', device, '100m']);
        tool('resize2fs', [device]);
      },
    },
  ],
  [
    'ext4 that was shrunk',
    0x83,
    400,
    {
      ...ext('ext4', [], 0.4),
      needs: ['mke2fs', 'resize2fs'],
      after: (device) => {
        tool('e2fsck', ['-fp', device]);
        tool('resize2fs', [device, '300m']);
      },
    },
  ],
  [
    'ext4 that was converted from ext3',
    0x83,
    300,
    {
      ...ext('ext4', []),
      needs: ['mke2fs', 'tune2fs'],
      make: ext('ext3', []).make,
      fill: ext('ext3', []).fill,
      after: (device) => {
        tool('tune2fs', ['-O', 'extents,uninit_bg,dir_index,metadata_csum', device]);
        tool('e2fsck', ['-fyD', device], { accept: [0, 1] });
      },
    },
  ],
  ['ext4 that is full', 0x83, 60, { ...ext('ext4', []), fill: fillToTheBrim }],
  ['ext4 of 9 GiB', 0x83, 9 * 1024, ext('ext4', [])],
  [
    'ext4 with blocks of 64 KiB',
    0x83,
    300,
    { ...ext('ext4', ['-b', '65536']), needs: ['mke2fs', 'debugfs'], fill: fillByDebugfs, read: readByDebugfs },
  ],
  ['ext4 in a GPT', 'gpt', 200, { ...ext('ext4', []), needs: ['mke2fs', 'sgdisk'] }],
  ['FAT12 of 1.4 MB', 0x01, 1.44, fat(['-F', '12'])],
  ['FAT12 of 30 MB', 0x01, 30, fat(['-F', '12', '-s', '32'])],
  ['FAT16', 0x06, 32, fat(['-F', '16'])],
  ['FAT16 of 500 MB, one table', 0x06, 500, fat(['-F', '16', '-f', '1'])],
  ['FAT32', 0x0c, 300, fat(['-F', '32'])],
  ['FAT32 with clusters of 512 bytes', 0x0c, 200, fat(['-F', '32', '-s', '1'])],
  ['FAT32 of 3 GB, clusters of 32 KiB', 0x0c, 3000, fat(['-F', '32', '-s', '64'])],
  ['FAT32 with sectors of 4096 bytes', 0x0c, 300, fat(['-F', '32', '-S', '4096', '-s', '1'])],
  ['NTFS', 0x07, 300, ntfs()],
  ['NTFS with clusters of 512 bytes', 0x07, 200, ntfs(['-c', '512'])],
  ['NTFS with clusters of 64 KiB', 0x07, 500, ntfs(['-c', '65536'])],
  ['exFAT', 0x07, 300, exfat()],
  ['exFAT with clusters of 4 KiB', 0x07, 300, exfat(['-c', '4K'])],
  ['swap', 0x82, 200, swap],
  [
    'xfs',
    0x83,
    320,
    kernel(
      'xfs',
      (device) => ['mkfs.xfs', ['-q', '-f', '-K', device]],
      (device) => ['xfs_repair', ['-n', device]],
      ['mkfs.xfs', 'xfs_repair'],
    ),
  ],
  [
    'btrfs',
    0x83,
    300,
    kernel(
      'btrfs',
      (device) => ['mkfs.btrfs', ['-q', '-f', '-K', device]],
      (device) => ['btrfs', ['check', device]],
      ['mkfs.btrfs', 'btrfs'],
    ),
  ],
  ...['ext3', 'ext4'].map((kind) => [`${kind} in the middle of writing`, 0x83, 300, { ...ext(kind, []), crash: true }]),
];

function fillToTheBrim(device, bytes) {
  withMount(device, 'ext4', '', (point) => {
    try {
      fillFolder(point, bytes, { share: 1 });
    } catch (error) {
      if (error.code !== 'ENOSPC') throw error;
    }
  });
}

function fillByDebugfs(device, bytes) {
  const source = at('files');
  rmSync(source, { recursive: true, force: true });
  mkdirSync(source);
  const names = Array.from({ length: 150 }, (_, i) => `f${i}`);
  for (const name of names) writeFileSync(join(source, name), content(Math.min(fileBytes(), bytes / 400)));
  tool('debugfs', ['-w', '-f', '-', device], { input: names.map((name) => `write ${join(source, name)} ${name}`).join('\n') });
  tool('debugfs', ['-w', '-f', '-', device], {
    input: names
      .filter((_, i) => i % 3 === 1)
      .map((name) => `rm ${name}`)
      .join('\n'),
  });
}

function readByDebugfs(device) {
  const out = at('files-back');
  rmSync(out, { recursive: true, force: true });
  mkdirSync(out);
  tool('debugfs', ['-R', `rdump / ${out}`, device]);
  return manifest(out);
}

/** A file full of one byte. */
function fillFile(path, sizeBytes, byte) {
  const fd = openSync(path, 'w');
  const piece = Buffer.alloc(4 * MIB, byte);
  for (let done = 0; done < sizeBytes; done += piece.byteLength) writeSync(fd, piece, 0, Math.min(piece.byteLength, sizeBytes - done));
  closeSync(fd);
}

function writeTable(path, type, sectors) {
  const sector = Buffer.alloc(512, 'boot code');
  sector.fill(0, 446, 510);
  sector.set([0x80, 0xfe, 0xff, 0xff, type, 0xfe, 0xff, 0xff], 446);
  sector.writeUInt32LE(START, 454);
  sector.writeUInt32LE(sectors, 458);
  sector.writeUInt16LE(0xaa55, 510);
  const fd = openSync(path, 'r+');
  writeSync(fd, sector, 0, 512, 0);
  fsyncSync(fd);
  closeSync(fd);
}

const savers = {
  ours: (disk, image) => void tool(imaging, ['zip', disk, image, '-q', '--level', '1']),
  ...(real ? { real: (disk, image) => void tool(join(real, 'imagezip'), ['-D', '-z', '1', disk, image]) } : {}),
};
const restorers = {
  ours: (image, device) => void tool(imaging, ['unzip', image, device, '-q']),
  ...(real ? { real: (image, device) => void tool(join(real, 'imageunzip'), [image, device]) } : {}),
};

/** Sectors of the partition that must be what they were and are not; as a sentence, or null. */
function changedUsed(used, disk, back) {
  const [a, b] = [openSync(disk, 'r'), openSync(back, 'r')];
  const [bufferA, bufferB] = [Buffer.alloc(MIB), Buffer.alloc(MIB)];
  try {
    for (const [from, to] of used) {
      for (let offset = from; offset < to; offset += MIB) {
        const length = Math.min(MIB, to - offset);
        readSync(a, bufferA, 0, length, START * 512 + offset);
        readSync(b, bufferB, 0, length, START * 512 + offset);
        if (bufferA.compare(bufferB, 0, length, 0, length) === 0) continue;
        const first = bufferA.subarray(0, length).findIndex((byte, i) => byte !== bufferB[i]);
        return `byte ${offset + first} of the partition, in use, is not what it was`;
      }
    }
    return null;
  } finally {
    closeSync(a);
    closeSync(b);
  }
}

function prove([, type, mebibytes, family]) {
  const absent = missing(family.needs);
  if (absent.length > 0) return [`left out: ${absent.join(', ')} not installed`];
  const partBytes = Math.round(mebibytes * 2048) * 512;
  const diskBytes = partBytes + START * 512 + (type === 'gpt' ? MIB : 0);
  const [disk, image, back] = ['disk', 'image.ndz', 'back'].map(at);
  fillFile(disk, diskBytes, 0xa5);
  if (type === 'gpt') tool('sgdisk', ['-Z', disk], { accept: [0, 2] });
  if (type === 'gpt') tool('sgdisk', ['-n', `1:${START}:+${partBytes / 1024}K`, '-t', '1:8300', disk]);
  else writeTable(disk, type, partBytes / 512);
  const part = { partBytes };
  withLoop(
    disk,
    (device) => {
      family.make(device);
      family.fill(device, partBytes);
      family.after?.(device);
    },
    part,
  );
  if (family.crash) crash(disk, part);
  const wanted = judge(disk, family, part);
  const used = family.used && !family.crash ? withLoop(disk, family.used, { ...part, readOnly: true }) : null;
  const lines = [];
  for (const [saver, save] of Object.entries(savers)) {
    rmSync(image, { force: true });
    rmSync(`${image}.sha256`, { force: true });
    try {
      save(disk, image);
    } catch (error) {
      if (saver === 'ours') throw error;
      lines.push(
        `the real imagezip refuses it (${
          error.message
            .trim()
            .split('\n')
            .findLast((line) => /not supported|Invalid|assert|ailed/i.test(line))
            ?.trim() ?? 'no reason told'
        })`,
      );
      continue;
    }
    for (const [restorer, restore] of Object.entries(restorers)) {
      fillFile(back, diskBytes, 0xff);
      withLoop(back, (device) => restore(image, device));
      const problem =
        (type === 'gpt' && !tool('sgdisk', ['-v', back]).includes('No problems found') ? 'its GPT is broken' : null) ??
        (used && changedUsed(used, disk, back)) ??
        (judge(back, family, part) === wanted ? null : 'its files are not what they were');
      if (problem === null) lines.push(`${saver} -> ${restorer}: good, ${(lstatSync(image).size / MIB).toFixed(0)} chunks`);
      else if (saver === 'real') lines.push(`${saver} -> ${restorer}: ${problem} (the real imagezip's doing)`);
      else throw new Error(`${saver} -> ${restorer}: ${problem}`);
    }
  }
  return lines;
}

/** The checker's word and the files. After a crash, as they are when it has been mended, on a copy. */
function judge(path, family, part) {
  if (!family.crash)
    return withLoop(
      path,
      (device) => {
        family.check(device);
        return family.read(device);
      },
      { ...part, readOnly: true },
    );
  const copy = at('mended');
  copyFileSync(path, copy);
  return withLoop(
    copy,
    (device) => {
      const said = spawnSync('e2fsck', ['-fy', device], { encoding: 'utf8' });
      family.check(device);
      return `${said.status}\n${family.read(device)}`;
    },
    part,
  );
}

/** Leaves the disk as a power cut would: with a journal to replay. */
function crash(disk, part) {
  const cut = at('cut');
  withLoop(
    disk,
    (device) =>
      withMount(device, part.kind ?? 'ext4', 'commit=1', (point) => {
        fillFolder(join(point, 'd1'), 30 * MIB);
        for (const name of readdirSync(point).filter((each) => /^d1?[2-8]$/.test(each))) rmSync(join(point, name), { recursive: true });
        fillFolder(join(point, 'd1'), 20 * MIB);
        tool('sync', ['-f', point]);
        fillFolder(join(point, 'd20'), 10 * MIB);
        tool('sh', ['-c', 'cp --sparse=never "$0" "$1"', disk, cut]);
      }),
    part,
  );
  copyFileSync(cut, disk);
  rmSync(cut);
}

if (process.getuid() !== 0) {
  console.log('left out: file systems are mounted and loop devices made, which needs root');
  process.exit(0);
}
if (!real) console.log('IMAGING_REAL_FRISBEE is not set: ours only');
const words = process.argv.slice(2);
let failed = 0;
for (const each of cases.filter(([title]) => words.length === 0 || words.some((word) => title.includes(word)))) {
  await new Promise(setImmediate); // lets signals in
  const startMs = performance.now();
  try {
    console.log(`${each[0]} (${each[2]} MiB): ${prove(each).join('; ')}  [${((performance.now() - startMs) / 1000).toFixed(1)} s]`);
  } catch (error) {
    failed += 1;
    console.log(`${each[0]} (${each[2]} MiB): FAILED: ${error.stack ?? error}`);
  }
}
console.log(failed === 0 ? 'nothing was lost' : `${failed} FAILED`);
process.exit(failed === 0 ? 0 : 1);
