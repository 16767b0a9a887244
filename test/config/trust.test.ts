import { chmod, chown, mkdir, open, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { whoElseWrote } from '../../src/config/trust.js';
import { UserError } from '../../src/util/errors.js';
import { rejected } from '../helpers/thrown.js';
import { Site } from './site.js';

let site: Site;
beforeEach(async () => {
  site = await Site.make();
  await site.write({ etc: '' });
});
afterEach(() => site.remove());

const isRoot = process.getuid?.() === 0;
const OTHER = 65_534;
/** Makes `path` somebody else's: root gives it away, anybody else looks at it with another user's eyes. */
async function giveAway(path: string): Promise<void> {
  if (isRoot) await chown(path, OTHER, OTHER);
  else site.uid += 1;
}

async function refusal(name: 'home' | 'cwd'): Promise<string> {
  const error = await rejected(UserError, site.load());
  expect(error.kind).toBe('environment');
  expect(error.hint).toContain('IMAGING_CONFIG');
  const start = `configuration ${site.path(name)} could have been written by another user: `;
  expect(error.message.slice(0, start.length)).toBe(start);
  return error.message.slice(start.length);
}

describe.each(['cwd', 'home'] as const)('a configuration in the %s folder', (name) => {
  beforeEach(() => site.write({ [name]: '[networking]\nssh_port = 2200\n' }));

  test('counts when it is ours alone', async () => {
    await chmod(site.path(name), 0o600);
    expect((await site.load()).config.networking.sshPort).toBe(2200);
  });

  test('stops everything when it belongs to another user', async () => {
    await giveAway(site.path(name));
    expect(await refusal(name)).toMatch(/belongs to user \d+$/);
  });

  test('stops everything when everybody may write it', async () => {
    await chmod(site.path(name), 0o646);
    expect(await refusal(name)).toBe('everybody may write it');
  });

  test('stops everything when everybody may write its folder, but for a sticky one', async () => {
    const folder = dirname(site.path(name));
    await chmod(folder, 0o777);
    expect(await refusal(name)).toBe(`everybody may write its folder ${folder}`);
    await chmod(folder, 0o1777);
    expect((await site.load()).config.networking.sshPort).toBe(2200);
  });

  test('is not looked at when IMAGING_CONFIG names another', async () => {
    await chmod(site.path(name), 0o666);
    site.env = { IMAGING_CONFIG: site.etc };
    expect((await site.load()).config.networking.sshPort).toBe(22);
    site.env = { IMAGING_CONFIG: site.path(name) };
    expect((await site.load()).config.networking.sshPort).toBe(2200);
  });
});

describe.runIf(isRoot)('what only root can set up', () => {
  beforeEach(() => site.write({ cwd: '' }));

  test('a file of ours in a folder of another user', async () => {
    await chown(site.cwd, OTHER, OTHER);
    expect(await refusal('cwd')).toBe(`its folder ${site.cwd} belongs to user ${OTHER}`);
  });

  test('a link of another user in a sticky folder, to a file of root', async () => {
    await chmod(site.cwd, 0o1777);
    await site.write({ 'real.conf': '' });
    const link = site.path('cwd');
    await symlink('../../real.conf', `${link}.new`);
    const { lchown, rename } = await import('node:fs/promises');
    await lchown(`${link}.new`, OTHER, OTHER);
    await rename(`${link}.new`, link);
    expect(await refusal('cwd')).toBe(`it is a link that belongs to user ${OTHER}`);
  });

  test('a group-writable file, whatever the group', async () => {
    await chmod(site.path('cwd'), 0o664);
    expect(await refusal('cwd')).toBe('group 0 may write it');
  });
});

describe('a link', () => {
  test('of ours is followed, and what it leads to is looked at too', async () => {
    await mkdir(join(site.root, 'dotfiles'));
    await site.write({ 'dotfiles/imaging.conf': '[networking]\nssh_port = 2200\n' });
    await symlink('../../dotfiles/imaging.conf', site.path('cwd'));
    expect((await site.load()).config.networking.sshPort).toBe(2200);
    await chmod(join(site.root, 'dotfiles'), 0o777);
    expect(await refusal('cwd')).toContain(`its folder ${join(site.root, 'dotfiles')}`);
  });
});

describe('a group that may write', () => {
  const uid = isRoot ? 1234 : (process.getuid?.() ?? 0);
  const gid = process.getgid?.() ?? 0;
  const look = async (group: string, passwd: string, modes: { file: number; folder: number }): Promise<string | null> => {
    await site.write({ cwd: '', group, passwd });
    await chmod(site.path('cwd'), modes.file);
    await chmod(site.cwd, modes.folder);
    const handle = await open(site.path('cwd'));
    try {
      return await whoElseWrote(site.path('cwd'), handle, { uid, groupFile: site.path('group'), passwdFile: site.path('passwd') });
    } finally {
      await handle.close();
    }
  };
  const ann = `ann:x:${uid}:${gid}::/home/ann:/bin/bash\n`;
  const shared = { file: 0o664, folder: 0o755 };

  test('is nobody else when it is the private group of a user', async () => {
    expect(await look(`ann:x:${gid}:\n`, ann, { file: 0o664, folder: 0o775 })).toBeNull();
    expect(await look(`ann:x:${gid}:ann\n`, ann, shared)).toBeNull();
  });

  test.each([
    ['has another member', `ann:x:${gid}:bob\n`, ann],
    ['is the first group of another user', `ann:x:${gid}:\n`, `${ann}bob:x:77:${gid}::/:\n`],
    ['is called otherwise', `staff:x:${gid}:\n`, ann],
    ['is not in /etc/group', '', ann],
    ['belongs to a user who is not in /etc/passwd', `ann:x:${gid}:\n`, ''],
  ])('is somebody else when it %s', async (_, group, passwd) => {
    expect(await look(group, passwd, shared)).toBe(`group ${gid} may write it`);
    expect(await look(group, passwd, { file: 0o644, folder: 0o775 })).toBe(`group ${gid} may write its folder ${site.cwd}`);
    expect(await look(group, passwd, { file: 0o644, folder: 0o755 })).toBeNull();
  });

  test('is somebody else when nothing can be known', async () => {
    await writeFile(site.path('cwd'), '');
    await chmod(site.path('cwd'), 0o664);
    const handle = await open(site.path('cwd'));
    expect(await whoElseWrote(site.path('cwd'), handle, { uid, groupFile: '/nowhere', passwdFile: '/nowhere' })).toBe(
      `group ${gid} may write it`,
    );
    await handle.close();
  });
});
