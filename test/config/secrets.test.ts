import { chmod } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { UserError } from '../../src/util/errors.js';
import { rejected } from '../helpers/thrown.js';
import { Site } from './site.js';

let site: Site;
beforeEach(async () => {
  site = await Site.make();
});
afterEach(() => site.remove());

describe('secrets', () => {
  test('count, and are never shown', async () => {
    await site.write({ etc: '[leases]\ntoken = t0p\npassword.faraday = s3cret\nemail = me@example.org\n' });
    const { config, describe: settings } = await site.load();
    expect(config.leases).toMatchObject({ token: 't0p', password: 's3cret', email: 'me@example.org' });
    const shown = settings();
    expect(shown.filter(({ value }) => value === '(hidden)').map(({ writtenKey }) => writtenKey)).toEqual(['token', 'password.faraday']);
    expect(JSON.stringify(shown)).not.toMatch(/t0p|s3cret/);
    expect(shown.find(({ key }) => key === 'email')?.value).toBe('me@example.org');
  });

  test('that are empty are shown as such', async () => {
    await site.write({ etc: '' });
    expect((await site.load()).describe().find(({ key }) => key === 'token')).toMatchObject({ value: '', source: 'default' });
  });

  test.each(['[leases]\npassword = x\n', '[leases]\ntoken.bemol = x\n', '[r2labapi]\nadmin_token = x\n'])(
    '%j in a file that everybody may read is a warning, until it is closed',
    async (text) => {
      await site.write({ etc: '', home: text });
      const home = site.path('home');
      expect((await site.load()).warnings.filter((warning) => warning.includes('everybody may read'))).toEqual([
        expect.stringContaining(`chmod o-r ${home}`),
      ]);
      await chmod(home, 0o640);
      expect((await site.load()).warnings.filter((warning) => warning.includes('everybody may read'))).toEqual([]);
    },
  );

  test('no warning where there is no secret', async () => {
    await site.write({ etc: '[leases]\ntoken =\nbackend = omf\n' });
    expect((await site.load()).warnings).toEqual([]);
  });
});

describe('keys that moved to [leases]', () => {
  test('count, with a warning', async () => {
    await site.write({
      etc: '[r2labapi]\nurl = https://api.example.org:443/\nresource_name = lab\nadmin_token = t\n[accounts]\nprivileged = root,ann\ncycle = 60\n',
    });
    await chmod(site.etc, 0o600);
    const { config, warnings } = await site.load();
    expect(config.leases).toMatchObject({
      url: 'https://api.example.org:443/',
      resourceName: 'lab',
      token: 't',
      privileged: ['root', 'ann'],
    });
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain('r2labapi.url -> leases.url');
    expect(warnings[0]).toContain('without effect: [accounts]');
  });

  test('do not beat the new name in the same file', async () => {
    await site.write({ etc: '[leases]\nprivileged = ann\n[accounts]\nprivileged = bob\n' });
    expect((await site.load()).config.leases.privileged).toEqual(['ann']);
  });
});

describe('values of [leases]', () => {
  test.each(['ftp://x', 'x.org', 'https://me:pw@x.org', 'https://x.org/?a=1', 'https://'])('url %j is not allowed', async (url) => {
    await site.write({ etc: `[leases]\nurl = "${url}"\n` });
    expect((await rejected(UserError, site.load())).message).toContain('an http or https URL without login');
  });

  test('privileged is a list of logins, or nobody', async () => {
    await site.write({ etc: '[leases]\nprivileged = ann, bob_2\n', home: '[leases]\nprivileged =\n' });
    expect((await site.load()).config.leases.privileged).toEqual([]);
    await site.write({ home: '[leases]\nprivileged = a:b\n' });
    expect((await rejected(UserError, site.load())).message).toContain('login names');
  });
});
