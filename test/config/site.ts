import { mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type ConfigHost, loadConfig, type LoadedConfig } from '../../src/config/read-config.js';

/** A machine of its own for one test: /etc, a home and a current folder, all below a temporary one. */
export class Site {
  readonly root: string;
  readonly etc: string;
  readonly home: string;
  readonly cwd: string;
  hostname = 'faraday';
  env: Record<string, string | undefined> = {};
  uid = process.getuid?.() ?? 0;

  private constructor(root: string) {
    this.root = root;
    this.etc = join(root, 'etc/imaging.conf');
    this.home = join(root, 'home');
    this.cwd = join(root, 'home/exp');
  }

  static async make(): Promise<Site> {
    const site = new Site(await realpath(await mkdtemp(join(tmpdir(), 'imaging-config-'))));
    for (const folder of [dirname(site.etc), site.cwd]) await mkdir(folder, { recursive: true, mode: 0o755 });
    return site;
  }

  /** Writes files: `etc`, `home` and `cwd` are the three layers, anything else a path below the root. */
  async write(files: Partial<Record<'etc' | 'home' | 'cwd' | string, string>>): Promise<void> {
    for (const [name, text] of Object.entries(files)) await writeFile(this.path(name), text ?? '', { mode: 0o644 });
  }

  path(name: string): string {
    const layers: Record<string, string> = { etc: this.etc, home: join(this.home, '.imaging.conf'), cwd: join(this.cwd, 'imaging.conf') };
    return layers[name] ?? join(this.root, name);
  }

  get host(): ConfigHost {
    return { env: this.env, cwd: () => this.cwd, home: () => this.home, uid: () => this.uid, shortHostname: () => this.hostname };
  }

  load(): Promise<LoadedConfig> {
    return loadConfig(this.host, this.etc);
  }

  remove(): Promise<void> {
    return rm(this.root, { recursive: true, force: true });
  }
}
