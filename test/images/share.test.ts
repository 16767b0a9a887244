import { execFileSync } from 'node:child_process';
import { linkSync, renameSync, symlinkSync } from 'node:fs';
import {
  chmod,
  chown,
  link,
  mkdir,
  open,
  readFile,
  readdir,
  readlink,
  rename,
  rm,
  stat,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { readChecksum, writeChecksum, readProvenance, writeProvenance, type Provenance } from '../../src/images/records.js';
import { planShare, type ShareStep, performShare } from '../../src/images/share.js';
import { UserError } from '../../src/util/errors.js';
import { sha256, temporaryFolder } from '../helpers/images.js';

let cwd: string;
let imagesDir: string;
const plan = async (name: string, options: { alias?: string; force?: boolean; clean?: boolean } = {}): Promise<ShareStep[]> =>
  (await planShare(name, { cwd, imagesDir, alias: options.alias ?? null, force: options.force ?? false, clean: options.clean ?? false }))
    .steps;
const warnings: string[] = [];
const options = {
  uid: process.getuid?.() ?? 0,
  force: false,
  signal: new AbortController().signal,
  onBytes: () => {},
  warn: (text: string) => void warnings.push(text),
};
const share = async (...args: Parameters<typeof plan>): Promise<void> => {
  for (const step of await plan(...args)) await performShare(step, { ...options, force: args[1]?.force ?? false });
};

const OLD = 'saving__fit07__2026-11-21@01-16__mine.ndz';
const NEW = 'saving__fit07__2026-11-22@01-16__mine.ndz';
const provenanceOf = (content: string, by = 'ann'): Provenance => ({
  sha256: sha256(Buffer.from(content)),
  sizeBytes: content.length,
  image: 'mine',
  node: 'fit07',
  by,
  gateway: 'g',
  savedAt: '2026-11-21T01:16:00.000Z',
  comment: null,
  base: null,
  stamp: null,
  verified: true,
  disk: null,
  notStamped: null,
});

async function save(path: string, content: string, ageSeconds: number, by?: string): Promise<void> {
  await writeFile(path, content, { mode: 0o600 });
  await writeChecksum(path, sha256(Buffer.from(content)));
  await writeProvenance(path, provenanceOf(content, by));
  const atSeconds = Date.now() / 1000 - ageSeconds;
  await utimes(path, atSeconds, atSeconds);
}

async function refusal(promise: Promise<unknown>): Promise<UserError> {
  const error: unknown = await promise.then(
    () => null,
    (reason: unknown) => reason,
  );
  if (!(error instanceof UserError)) throw new Error(`not refused: ${String(error)}`);
  return error;
}

beforeEach(async () => {
  const folder = await temporaryFolder();
  [cwd, imagesDir] = [join(folder, 'here'), join(folder, 'images')];
  for (const dir of [cwd, imagesDir]) await mkdir(dir);
  await save(join(cwd, OLD), 'old', 20);
  await save(join(cwd, NEW), 'new', 10);
  warnings.length = 0;
});

describe('sharing', () => {
  test('moves the newest image of a name, with what lies beside it, and lets everybody read it', async () => {
    const { mtimeMs } = await stat(join(cwd, NEW));
    await share('mine', { alias: 'best' });
    const path = join(imagesDir, 'mine.ndz');
    expect(await readFile(path, 'utf8')).toBe('new');
    expect((await stat(path)).mode & 0o777).toBe(0o644);
    expect((await stat(path)).mtimeMs).toBe(mtimeMs);
    expect(await readlink(join(imagesDir, 'best.ndz'))).toBe('mine.ndz');
    expect(await readFile(`${path}.sha256`, 'utf8')).toBe(`${sha256(Buffer.from('new'))}  mine.ndz\n`);
    expect(await readProvenance(path)).toEqual(provenanceOf('new'));
    expect((await readdir(cwd)).sort()).toEqual([OLD, `${OLD}.json`, `${OLD}.sha256`]);
    expect((await readdir(imagesDir)).sort()).toEqual(['best.ndz', 'mine.ndz', 'mine.ndz.json', 'mine.ndz.sha256']);
    expect(warnings).toEqual([]);
  });

  test('has nothing to do the second time', async () => {
    await share('mine', { alias: 'best' });
    await share(`./${OLD}`, { force: true }); // another one meanwhile
    expect(await readFile(join(imagesDir, 'best.ndz'), 'utf8')).toBe('old');
    expect(await plan('mine', { alias: 'best' })).toEqual([]);
    expect(await plan('best')).toEqual([]);
  });

  test('overwrites nothing without --force', async () => {
    await save(join(imagesDir, 'mine.ndz'), 'theirs', 30);
    expect(await refusal(plan('mine'))).toMatchObject({
      kind: 'refused',
      message: expect.stringContaining('mine.ndz exists already') as unknown,
      hint: expect.stringContaining('--force') as unknown,
    });
    await share('mine', { force: true });
    expect(await readFile(join(imagesDir, 'mine.ndz'), 'utf8')).toBe('new');
    expect(await readChecksum(join(imagesDir, 'mine.ndz'))).toBe(sha256(Buffer.from('new')));
  });

  test('overwrites nothing that appears after the plan was made', async () => {
    const steps = await plan('mine');
    await writeFile(join(imagesDir, 'mine.ndz'), 'theirs');
    for (const step of steps) await expect(performShare(step, options)).rejects.toThrow('exists already');
    expect(await readFile(join(imagesDir, 'mine.ndz'), 'utf8')).toBe('theirs');
    expect(await readFile(join(cwd, NEW), 'utf8')).toBe('new');
  });

  test('takes an alias from another image only with --force, and never puts one in the place of an image', async () => {
    for (const name of ['other.ndz', 'image.ndz']) await writeFile(join(imagesDir, name), 'x');
    await symlink('other.ndz', join(imagesDir, 'best.ndz'));
    for (const force of [false, true])
      expect((await refusal(plan('mine', { alias: 'image', force }))).message).toContain('is an image itself');
    expect((await refusal(plan('mine', { alias: 'best' }))).message).toContain('exists already and leads to other.ndz');
    await share('mine', { alias: 'best.ndz', force: true });
    expect(await readlink(join(imagesDir, 'best.ndz'))).toBe('mine.ndz');
  });

  test('gives an alias to what is shared already', async () => {
    await share('mine');
    await share('mine', { alias: 'a' });
    await share('a', { alias: 'b' });
    expect(await readlink(join(imagesDir, 'b.ndz'))).toBe('mine.ndz');
  });

  test('keeps aliases of an image that is renamed in the images folder', async () => {
    await save(join(imagesDir, 'saving__fit01__2026-11-23@01-16__mine.ndz'), 'newest', 0);
    await symlink('saving__fit01__2026-11-23@01-16__mine.ndz', join(imagesDir, 'best.ndz'));
    await share('mine');
    expect(await readFile(join(imagesDir, 'best.ndz'), 'utf8')).toBe('newest');
    expect(await readlink(join(imagesDir, 'best.ndz'))).toBe('mine.ndz');
  });

  test('cleans up older images of that name, of the same person only', async () => {
    await save(join(imagesDir, 'saving__fit02__2026-11-20@01-16__mine.ndz'), 'older', 30);
    await save(join(imagesDir, 'saving__fit03__2026-11-20@01-16__mine.ndz'), 'bobs', 40, 'bob');
    await save(join(imagesDir, 'saving__fit04__2026-11-20@01-16__mine-too.ndz'), 'another', 40);
    await share('mine', { clean: true });
    expect(await readdir(cwd)).toEqual([]);
    expect((await readdir(imagesDir)).filter((name) => name.endsWith('.ndz')).sort()).toEqual([
      'mine.ndz',
      'saving__fit03__2026-11-20@01-16__mine.ndz',
      'saving__fit04__2026-11-20@01-16__mine-too.ndz',
    ]);
  });

  test('shares images of other formats under their file names', async () => {
    await writeFile(join(cwd, 'disk.img.xz'), 'x');
    await writeFile(join(cwd, 'disk.bmap'), 'x');
    await share('./disk.img.xz', { alias: 'disk' });
    expect((await readdir(imagesDir)).sort()).toEqual(['disk.img.xz', 'disk.ndz']);
    expect(warnings).toEqual([expect.stringContaining('disk.bmap stays where it is')]);
  });

  test.each(['', '../x', '.x', '-x', 'a\nb'])('refuses the alias %j', async (alias) => {
    expect((await refusal(plan('mine', { alias }))).kind).toBe('usage');
  });

  test('refuses a link to a file elsewhere, and names that nothing has', async () => {
    await symlink(join(cwd, NEW), join(cwd, 'link.ndz'));
    expect((await refusal(plan('./link'))).message).toMatch(/link\.ndz is a link to .*fit07/);
    expect((await refusal(plan('nothing'))).message).toContain('not found');
  });

  test.skipIf(process.getuid?.() === 0)('says which folder must be writable before it does anything', async () => {
    await chmod(imagesDir, 0o555);
    expect(await refusal(plan('mine'))).toMatchObject({ kind: 'refused', hint: expect.stringContaining(imagesDir) as unknown });
    await chmod(imagesDir, 0o755);
  });
});

describe.skipIf(!(await otherFileSystem()))('onto another file system', () => {
  test('copies, checks and leaves nothing half', async () => {
    const [a, b] = [(await stat('/dev/shm')).dev, (await stat(cwd)).dev];
    expect(a).not.toBe(b);
    const { mkdtemp, rm } = await import('node:fs/promises');
    imagesDir = await mkdtemp('/dev/shm/imaging-share-');
    try {
      await writeFile(join(cwd, OLD), 'changed since');
      await utimes(join(cwd, OLD), 1, 1);
      await expect(share(`./${OLD}`)).rejects.toThrow(expect.objectContaining({ code: 'ndz-checksum' }));
      expect(await readdir(imagesDir)).toEqual([]);
      expect(await readFile(join(cwd, OLD), 'utf8')).toBe('changed since');
      const ended = new AbortController();
      ended.abort(new Error('Ctrl-C'));
      for (const step of await plan('mine'))
        await expect(performShare(step, { ...options, signal: ended.signal })).rejects.toThrow('Ctrl-C');
      expect(await readdir(imagesDir)).toEqual([]);
      const { mtimeMs } = await stat(join(cwd, NEW));
      await share('mine');
      expect((await readdir(imagesDir)).sort()).toEqual(['mine.ndz', 'mine.ndz.json', 'mine.ndz.sha256']);
      expect((await stat(join(imagesDir, 'mine.ndz'))).mtimeMs).toBeCloseTo(mtimeMs, 0);
      expect((await readdir(cwd)).includes(basename(NEW))).toBe(false);
    } finally {
      await rm(imagesDir, { recursive: true });
    }
  });
});

describe('an image in somebody else’s hands', () => {
  const theirs = { ...options, uid: (process.getuid?.() ?? 0) + 1 };
  const SECRET = 'only root may read this';
  let secret: string;
  beforeEach(async () => {
    secret = join(await temporaryFolder(), 'secret');
    await writeFile(secret, SECRET, { mode: 0o600 });
  });
  /** Steps that were planned before somebody changed the folder. */
  const refused = async (steps: readonly ShareStep[]): Promise<string> => {
    const [step] = steps;
    if (!step) throw new Error('nothing to do');
    const { message } = await refusal(performShare(step, options));
    expect((await stat(secret)).mode & 0o777).toBe(0o600);
    expect((await readdir(imagesDir)).filter((name) => name !== 'old.ndz')).toEqual([]);
    return message;
  };

  test('that became a link is neither read, nor made readable, nor published', async () => {
    const steps = await plan('mine');
    await rm(join(cwd, NEW));
    await symlink(secret, join(cwd, NEW));
    expect(await refused(steps)).toContain('is not what it was');
  });

  test('that became a link, another file or a pipe while it was checked is not published either', async () => {
    for (const swap of ['symlink', 'link', 'mkfifo'] as const) {
      const steps = await plan('mine');
      const [step] = steps;
      if (!step) throw new Error('nothing to do');
      let swapped = false;
      const onBytes = (): void => {
        if (swapped) return;
        swapped = true;
        renameSync(join(cwd, NEW), join(cwd, 'kept'));
        if (swap === 'symlink') symlinkSync(secret, join(cwd, NEW));
        else if (swap === 'link') linkSync(secret, join(cwd, NEW));
        else execFileSync('mkfifo', [join(cwd, NEW)]);
      };
      expect((await refusal(performShare(step, { ...options, onBytes }))).message).toContain('something else has its name now');
      expect(swapped).toBe(true);
      expect((await stat(secret)).mode & 0o777).toBe(0o600);
      expect(await readdir(imagesDir)).toEqual([]);
      await rm(join(cwd, NEW));
      await rename(join(cwd, 'kept'), join(cwd, NEW));
    }
  });

  test('whose folder became a link to another is not looked for there', async () => {
    const steps = await plan('mine');
    const elsewhere = await temporaryFolder();
    await writeFile(join(elsewhere, NEW), SECRET, { mode: 0o600 });
    await rename(cwd, `${cwd}.kept`);
    await symlink(elsewhere, cwd);
    const [step] = steps;
    if (!step) throw new Error('nothing to do');
    await expect(performShare(step, options)).rejects.toMatchObject({
      message: expect.stringMatching(/ENOTDIR|ELOOP|not what it was/) as unknown,
    });
    const parent = dirname(cwd);
    await rm(cwd);
    await rename(`${cwd}.kept`, cwd);
    await rename(parent, `${parent}.kept`); // and one further up
    await mkdir(join(elsewhere, basename(cwd)));
    await rename(join(elsewhere, NEW), join(elsewhere, basename(cwd), NEW));
    await symlink(elsewhere, parent);
    try {
      expect((await refusal(performShare(step, options))).message).toContain('is not what it was');
      expect((await stat(join(elsewhere, basename(cwd), NEW))).mode & 0o777).toBe(0o600);
    } finally {
      await rm(parent);
      await rename(`${parent}.kept`, parent);
    }
  });

  test('that is another name of a file which not everybody may read is refused', async () => {
    await rm(join(cwd, NEW));
    await link(secret, join(cwd, NEW));
    expect(await refused(await plan(`./${NEW}`))).toContain('has other names');
  });

  test.each(['.sha256', '.json'])('whose %s is a link to a secret does not make us read that', async (suffix) => {
    await rm(join(cwd, NEW + suffix));
    await symlink(secret, join(cwd, NEW + suffix));
    const [step] = await plan('mine');
    if (!step) throw new Error('nothing to do');
    const error: unknown = await performShare(step, options).then(
      () => null,
      (reason: unknown) => reason,
    );
    expect(String(error)).toContain('it is a link');
    expect(String(error)).not.toContain('root');
    expect(await readdir(imagesDir)).toEqual([]);
  });

  test('becomes a copy of our own, which nobody else can change, and the original goes', async () => {
    const [step] = await plan('mine');
    if (!step) throw new Error('nothing to do');
    if (process.getuid?.() === 0) await chown(join(cwd, NEW), 54_321, 54_321);
    const theirFile = await open(join(cwd, NEW), 'r+');
    const { ino, mtimeMs } = await theirFile.stat();
    await performShare(step, process.getuid?.() === 0 ? options : theirs);
    await theirFile.write('bad', 0);
    await theirFile.close();
    const shared = await stat(join(imagesDir, 'mine.ndz'));
    expect(await readFile(join(imagesDir, 'mine.ndz'), 'utf8')).toBe('new');
    expect(shared.ino).not.toBe(ino);
    expect([shared.mode & 0o777, Math.round(shared.mtimeMs)]).toEqual([0o644, Math.round(mtimeMs)]);
    expect((await readdir(cwd)).sort()).toEqual([OLD, `${OLD}.json`, `${OLD}.sha256`]);
  });

  test('an older one that is another file by now is not cleaned up', async () => {
    const steps = await plan('mine', { clean: true });
    await rm(join(cwd, OLD));
    await writeFile(join(cwd, OLD), 'somebody’s');
    const last = steps.at(-1);
    if (last?.type !== 'remove') throw new Error('nothing to remove');
    expect((await refusal(performShare(last, options))).message).toContain('it stays');
    expect(await readFile(join(cwd, OLD), 'utf8')).toBe('somebody’s');
  });
});

describe('an image with something against its origin', () => {
  test.each([
    ['half-written', 'while the disk was half-written'],
    ['unverified', 'nothing had been read back'],
    ['melted', 'a disk that was melted'],
  ])('of a disk that was %s is shared with --force only, and says so still', async (disk, said) => {
    await writeProvenance(join(cwd, NEW), { ...provenanceOf('new'), disk });
    await expect(share('mine')).rejects.toMatchObject({ kind: 'refused', message: expect.stringContaining(said) as unknown });
    expect(await readdir(imagesDir)).toEqual([]);
    await share('mine', { force: true });
    expect(warnings).toEqual([expect.stringContaining(said)]);
    expect((await readProvenance(join(imagesDir, 'mine.ndz')))?.disk).toBe(disk);
  });
});

test('side files of an image that is gone are in the way, and go with --force', async () => {
  await writeFile(join(imagesDir, 'mine.ndz.json'), 'of what?');
  await expect(share('mine')).rejects.toMatchObject({ kind: 'refused', message: expect.stringContaining('without an image') as unknown });
  expect(await readdir(imagesDir)).toEqual(['mine.ndz.json']);
  await share('mine', { force: true });
  expect(await readProvenance(join(imagesDir, 'mine.ndz'))).toEqual(provenanceOf('new'));
});

test('tells which images of that name were passed over', async () => {
  const other = join(imagesDir, 'saving__fit03__2026-11-20@01-16__mine.ndz');
  await save(other, 'bobs', 40, 'bob');
  const { passedOver, older } = await planShare('mine', { cwd, imagesDir, alias: null, force: false, clean: false });
  expect([passedOver, older]).toEqual([[other], [join(cwd, OLD)]]);
});

async function otherFileSystem(): Promise<boolean> {
  const { tmpdir } = await import('node:os');
  const [shm, tmp] = await Promise.all(['/dev/shm', tmpdir()].map((path) => stat(path).catch(() => null)));
  return shm !== null && shm !== undefined && shm.dev !== tmp?.dev;
}
