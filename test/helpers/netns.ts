import { execFileSync, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';

/** Why namespaces cannot be used here, or null when they can. */
export function whyNoNamespaces(): string | null {
  if (process.getuid?.() !== 0) return 'needs root';
  if (!['/sbin/ip', '/usr/sbin/ip', '/bin/ip', '/usr/bin/ip'].some((path) => existsSync(path))) return 'needs ip (iproute2)';
  try {
    execFileSync('ip', ['netns', 'add', 'imaging-probe'], { stdio: 'pipe' });
    execFileSync('ip', ['netns', 'del', 'imaging-probe'], { stdio: 'pipe' });
    return null;
  } catch {
    return 'network namespaces cannot be made here';
  }
}

export type Ended = { code: number | null; stdout: string; stderr: string };
export type Started = { done: Promise<Ended>; stderr: () => string; kill: (signal: NodeJS.Signals) => void };

/** Hosts 10.9.0.1, .2, … on one bridge, each in a network namespace of its own. */
export class TestNetwork {
  readonly #prefix = `im${process.pid % 100_000}`;
  readonly #names: string[] = [];
  readonly #running = new Set<Started>();

  constructor(hosts: number) {
    const bridge = this.#add('b');
    ip('-n', bridge, 'link', 'add', 'br0', 'type', 'bridge', 'mcast_snooping', '0');
    ip('-n', bridge, 'link', 'set', 'br0', 'up');
    for (let host = 1; host <= hosts; host++) {
      const name = this.#add(String(host));
      ip('link', 'add', `v${host}`, 'netns', bridge, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', name);
      ip('-n', bridge, 'link', 'set', `v${host}`, 'master', 'br0', 'up');
      ip('-n', name, 'addr', 'add', `${this.address(host)}/24`, 'dev', 'eth0');
      for (const device of ['lo', 'eth0']) ip('-n', name, 'link', 'set', device, 'up');
      ip('-n', name, 'route', 'add', '224.0.0.0/4', 'dev', 'eth0');
    }
  }

  address(host: number): string {
    return `10.9.0.${host}`;
  }

  /** Starts a program on a host. */
  start(host: number, command: readonly string[], env: NodeJS.ProcessEnv = process.env): Started {
    const [program = '', ...words] = ['ip', 'netns', 'exec', `${this.#prefix}-${host}`, ...command];
    const child = spawn(program, words, { stdio: ['ignore', 'pipe', 'pipe'], env });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (data: Buffer) => (stdout += data.toString()));
    child.stderr.on('data', (data: Buffer) => (stderr += data.toString()));
    const started: Started = {
      done: new Promise((resolve) =>
        child.on('close', (code) => {
          this.#running.delete(started);
          resolve({ code, stdout, stderr });
        }),
      ),
      stderr: () => stderr,
      kill: (signal) => void child.kill(signal),
    };
    this.#running.add(started);
    return started;
  }

  /** Runs a program on a host to its end; returns what it printed. Throws when it fails. */
  run(host: number, command: readonly string[]): string {
    return execFileSync('ip', ['netns', 'exec', `${this.#prefix}-${host}`, ...command], { stdio: 'pipe', encoding: 'utf8' });
  }

  /** Throws away so many per mille of the UDP datagrams a host receives, until `loseAt(host, 0)`. False when this machine cannot. */
  loseAt(host: number, perMille: number): boolean {
    const rules =
      perMille === 0
        ? 'delete table ip lossy'
        : `add table ip lossy; add chain ip lossy in { type filter hook input priority 0; }; add rule ip lossy in meta l4proto udp numgen random mod 1000 < ${perMille} drop`;
    try {
      execFileSync('ip', ['netns', 'exec', `${this.#prefix}-${host}`, 'nft', rules], { stdio: 'pipe' });
      return true;
    } catch {
      return false;
    }
  }

  /** Ends what still runs, and removes everything. */
  async remove(): Promise<void> {
    const running = [...this.#running];
    for (const { kill } of running) kill('SIGKILL');
    await Promise.all(running.map(({ done }) => done));
    for (const name of this.#names) ip('netns', 'del', name);
  }

  #add(suffix: string): string {
    const name = `${this.#prefix}-${suffix}`;
    ip('netns', 'add', name);
    this.#names.push(name);
    return name;
  }
}

function ip(...words: string[]): void {
  execFileSync('ip', words, { stdio: 'pipe' });
}
