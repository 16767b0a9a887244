import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { bin, run, scratch, start, type Finished, type Running } from './cli.js';

export type ChildTestbed = {
  dir: string;
  env: Record<string, string>;
  /** Runs a command inside, to its end. */
  run(name: string, args: readonly string[], env?: Record<string, string>): Promise<Finished>;
  start(name: string, args: readonly string[], env?: Record<string, string>): Running;
  /** What is in pxelinux.cfg besides the boot configuration itself, owner records included. */
  links(): string[];
  close(): Promise<void>;
};

/** An emulated testbed in a process of its own, as `imaging-testbed up` gives it. `count` is null when an option says which nodes it has. */
export async function testbedUp(count: number | null, ...options: string[]): Promise<ChildTestbed> {
  const dir = scratch();
  const size = options.includes('--size') ? [] : ['--size', '24'];
  const running = start('imaging-testbed', ['up', ...(count === null ? [] : [String(count)]), '--dir', dir, ...size, ...options]);
  await new Promise<void>((resolve, reject) => {
    running.child.stdout.on('data', (text: string) => {
      if (text.includes('Ctrl-C ends it')) resolve();
    });
    void running.finished.then(({ code, stdout, stderr }) => reject(new Error(`the testbed ended with ${code}\n${stdout}\n${stderr}`)));
  });
  const env = { IMAGING_CONFIG: join(dir, 'imaging.conf'), PATH: `${bin}:${process.env.PATH}`, HOME: scratch() };
  return {
    dir,
    env,
    run: (name, args, more = {}) => run(name, args, { env: { ...env, ...more } }),
    start: (name, args, more = {}) => start(name, args, { env: { ...env, ...more } }),
    links: () => readdirSync(join(dir, 'tftpboot/pxelinux.cfg')).filter((name) => name !== 'pxefrisbee' && name !== 'default'),
    close: async () => {
      running.child.kill('SIGTERM');
      const { code, stderr } = await running.finished;
      if (code !== 0) throw new Error(`the testbed ended with ${code}: ${stderr}`);
    },
  };
}
