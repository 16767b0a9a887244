// zip and unzip of a disk of more than 1 GB of real files, ours and the real programs in turn, and each other's images.
// IMAGING_REAL_FRISBEE=<folder with imagezip and imageunzip>; without it only ours. BENCH_RUNS (3), BENCH_DIR, BENCH_MB (1200).
import { execFileSync, spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  closeSync,
  ftruncateSync,
  lstatSync,
  readdirSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bin, measure, median, print } from './measure.mjs';

const real = process.env.IMAGING_REAL_FRISBEE;
const runs = Number(process.env.BENCH_RUNS ?? 3);
const wantedMB = Number(process.env.BENCH_MB ?? 1200);
process.env.PATH = `${process.env.PATH}:/usr/sbin:/sbin`;
const home = process.env.BENCH_DIR ?? (existsSync('/dev/shm') ? '/dev/shm' : tmpdir()); // memory: disks are not what is measured
const folder = mkdtempSync(join(home, 'imaging-bench-'));
process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
process.once('SIGINT', () => process.exit(130));
const at = (name) => join(folder, name);

/** Files of this machine's own system, about as many as wanted. */
function collect() {
  const names = [];
  let rest = wantedMB * 1e6;
  const walk = (path) => {
    for (const entry of readdirSync(path, { withFileTypes: true })) {
      const child = join(path, entry.name);
      if (rest <= 0) return;
      if (entry.isDirectory()) walk(child);
      else if (entry.isFile() || entry.isSymbolicLink()) {
        names.push(child);
        rest -= Math.max(4096, lstatSync(child).size);
      }
    }
  };
  for (const path of ['/usr/bin', '/usr/lib', '/usr/share', '/usr/sbin']) walk(path);
  mkdirSync(at('root'));
  spawnSync('bash', ['-c', 'tar -C / --no-recursion --null -T - -cf - | tar -C "$0" -xf -', at('root')], {
    input: names.join('\0'),
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  return at('root');
}

/** A disk with one partition that holds an ext4 file system of these files. */
function makeDisk(path, root, features) {
  const sectors = Math.ceil(wantedMB * 1.6) * 2048;
  const sector = Buffer.alloc(512);
  sector.set([0x80, 0xfe, 0xff, 0xff, 0x83, 0xfe, 0xff, 0xff], 446);
  sector.writeUInt32LE(2048, 454);
  sector.writeUInt32LE(sectors - 2048, 458);
  sector.writeUInt16LE(0xaa55, 510);
  const fd = openSync(path, 'w');
  writeSync(fd, sector);
  ftruncateSync(fd, sectors * 512);
  closeSync(fd);
  execFileSync('mke2fs', ['-q', '-F', '-t', 'ext4', ...features, '-E', 'offset=1048576', '-d', root, path, `${(sectors - 2048) / 2}k`], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
}

/** Runs of ours and of the real program in turn; rows to print. */
async function compare(title, dataBytes, ours, theirs) {
  const all = { ours: [], real: [] };
  for (let i = 0; i < runs; i += 1) {
    for (const [name, run] of [
      ['real', theirs],
      ['ours', ours],
    ]) {
      if (!run) continue;
      const result = await measure(run[0], run.slice(1));
      if (result.code !== 0) throw new Error(`${run.join(' ')} ended with ${result.code}`);
      all[name].push(result);
    }
  }
  const of = (list, key) => median(list.map((one) => one[key]));
  const mib = dataBytes / 1_048_576;
  const rows = Object.entries(all)
    .filter(([, list]) => list.length > 0)
    .map(([name, list]) => {
      const [wall, cpu] = [of(list, 'wallS'), of(list, 'cpuS')];
      return `${title.padEnd(6)} ${name}  ${wall.toFixed(2).padStart(7)} s wall ${(mib / wall).toFixed(0).padStart(6)} MiB/s   ${cpu.toFixed(2).padStart(7)} s CPU ${(mib / cpu).toFixed(0).padStart(6)} MiB/CPU-s   ${of(list, 'rssMB').toFixed(0).padStart(4)} MB`;
    });
  if (all.real.length > 0) {
    const ratio = (key) => median(all.real.map((one, i) => one[key] / all.ours[i][key]));
    rows.push(
      `${title.padEnd(6)} ratio ${ratio('wallS').toFixed(2)} x the real program's wall speed, ${(1 / ratio('cpuS')).toFixed(2)} x its CPU per MiB`,
    );
  }
  return rows;
}

const same = (a, b) => spawnSync('cmp', ['-s', a, b]).status === 0;
const quiet = (command, ...args) => execFileSync(command, args, { stdio: 'ignore' });
const zipOurs = (disk, image) => [bin('imaging-imagezip'), disk, image];
const unzipOurs = (image, disk) => [bin('imaging-imageunzip'), image, disk];

const root = collect();
makeDisk(at('disk'), root, ['-O', '^64bit']);
const [zip, unzip] = real ? [join(real, 'imagezip'), join(real, 'imageunzip')] : [null, null];
const info = () =>
  JSON.parse(execFileSync(bin('imaging-image'), ['info', at('ours.ndz'), '--json', '-q'], { encoding: 'utf8', maxBuffer: 1 << 26 }));
quiet(...zipOurs(at('disk'), at('ours.ndz')));
const { actualBytes, diskBytes, chunkCount } = info();
print(
  `zip and unzip, level 4: ext4 without 64bit, ${(actualBytes / 1e9).toFixed(2)} GB in use of a disk of ${(diskBytes / 1e9).toFixed(2)} GB; budgets: zip >= 1.7 x wall, <= 1.2 x CPU; unzip >= 1.0 x both`,
  [
    ...(await compare('zip', actualBytes, zipOurs(at('disk'), at('ours.ndz')), zip && [zip, at('disk'), at('real.ndz')])),
    ...(await compare('unzip', actualBytes, unzipOurs(at('ours.ndz'), at('out')), unzip && [unzip, at('ours.ndz'), at('real.out')])),
  ],
);
const checks = [];
quiet(...unzipOurs(at('ours.ndz'), at('out')));
checks.push(`ours restored by ours is the disk: ${same(at('out'), at('disk'))}`);
if (real) {
  rmSync(at('real.out'), { force: true });
  const realChunks = statSync(at('real.ndz')).size / 1_048_576;
  checks.push(`chunks: ours ${chunkCount}, real ${realChunks}: ${(chunkCount / realChunks).toFixed(3)} x`);
  quiet(unzip, '-z', at('ours.ndz'), at('out'));
  execFileSync('truncate', ['-s', String(diskBytes), at('out')]);
  checks.push(`ours restored by the real imageunzip is the disk: ${same(at('out'), at('disk'))}`);
  quiet(...unzipOurs(at('real.ndz'), at('out')));
  checks.push(`the real one's restored by ours is the disk: ${same(at('out'), at('disk'))}`);
  rmSync(at('real.ndz'));
}
rmSync(at('disk'));
makeDisk(at('disk'), root, []);
const modern = await measure(...(([command, ...args]) => [command, args])(zipOurs(at('disk'), at('ours.ndz'))));
const { actualBytes: modernBytes } = info();
checks.push(
  `ext4 as mke2fs makes it today: ${(modernBytes / 1_048_576 / modern.wallS).toFixed(0)} MiB/s, ${(modernBytes / 1_048_576 / modern.cpuS).toFixed(0)} MiB/CPU-s`,
);
if (real) {
  checks.push(
    `  the real imagezip ${spawnSync(zip, [at('disk'), at('refused.ndz')], { stdio: 'ignore' }).status === 0 ? 'saves it too' : 'refuses it'}`,
  );
  quiet(unzip, '-z', at('ours.ndz'), at('out'));
  execFileSync('truncate', ['-s', String(diskBytes), at('out')]);
} else quiet(...unzipOurs(at('ours.ndz'), at('out')));
checks.push(`  restored by ${real ? 'the real imageunzip' : 'ours'} it is the disk: ${same(at('out'), at('disk'))}`);
execFileSync('dd', [`if=${at('out')}`, `of=${at('fs')}`, 'bs=1M', 'skip=1', 'conv=sparse', 'status=none']);
checks.push(`  and e2fsck finds it clean: ${spawnSync('e2fsck', ['-fn', at('fs')], { stdio: 'ignore' }).status === 0}`);
rmSync(at('fs'));
const zeros = openSync(at('zeros'), 'w');
ftruncateSync(zeros, 2 ** 31);
closeSync(zeros);
const [fast, slow] = [
  await measure(bin('imaging-imagezip'), ['-r', at('zeros'), at('zeros.ndz')]),
  real ? await measure(zip, ['-r', at('zeros'), at('zeros2.ndz')]) : null,
];
checks.push(
  `2 GiB of zeros: ours ${fast.wallS.toFixed(1)} s, ${fast.cpuS.toFixed(1)} s CPU${slow ? `; real ${slow.wallS.toFixed(1)} s, ${slow.cpuS.toFixed(1)} s CPU` : ''}`,
);
print('checks', checks);
