import { startTestbed, type Testbed } from '../../testbed/testbed.js';
import { verifyDisks } from '../../testbed/verify.js';
import { executablePath } from '../../util/dist.js';
import { say } from '../../util/say.js';
import { formatBytes, formatDuration } from '../../monitor/format.js';
import { Interrupted } from '../../engine/interrupted.js';
import type { CommandContext } from '../kit/command.js';
import type { ArgumentsOf } from '../kit/option-spec.js';
import { exitCodes } from '../kit/exit.js';
import type { demoSpec } from './demo.spec.js';

/** The whole thing on one screen: an emulated testbed, a load with the monitor, and every disk compared with the image. */
export async function run({ options }: ArgumentsOf<typeof demoSpec>, context: CommandContext): Promise<number> {
  const count = options.nodes ?? 12;
  const tell = (...lines: string[]): void => say(context.stdout, ...lines);
  const startedMs = context.host.monotonicMs();
  tell(`starting an emulated testbed of ${count} nodes: real HTTP, telnet, ssh, UDP multicast; each disk is a file`);
  const testbed = await startTestbed({
    count,
    dir: null,
    faults: [],
    shell: 'real',
    frisbee: 'real',
    on: true,
    signal: context.signal,
    host: context.host,
  });
  try {
    tell(
      `made an image on the spot: ${formatBytes(testbed.demoImage.info.sizeBytes)} for a disk of ${formatBytes(testbed.demoImage.diskBytes)}`,
    );
    tell('', `$ imaging-load -i demo 1-${count} -u`);
    const code = await load(count, testbed, context);
    if (context.signal.reason instanceof Interrupted) return context.signal.reason.exitCode;
    if (code !== 0) return code;
    tell('', 'comparing each disk with the image (sha256):');
    const verdicts = await verifyDisks(testbed);
    for (const { node, sha256, ok } of verdicts) tell(`  ${node}  ${ok ? 'verified' : 'DIFFERS '}  ${sha256}`);
    const good = verdicts.filter(({ ok }) => ok).length;
    tell('', `${good} of ${count} disks verified in ${formatDuration(context.host.monotonicMs() - startedMs)}; everything is torn down`);
    return good === count ? exitCodes.ok : exitCodes.someFailed;
  } finally {
    await testbed.close();
  }
}

function load(count: number, testbed: Testbed, context: CommandContext): Promise<number> {
  const child = context.host.spawn(process.execPath, [executablePath, 'load', '-i', 'demo', `1-${count}`, '-u'], {
    stdio: 'inherit',
    env: { ...context.host.env, ...testbed.env },
    cwd: testbed.dir,
  });
  const pass = (): void => {
    // Ctrl-C reaches the whole process group, the child included
    if (context.signal.reason instanceof Interrupted && context.signal.reason.signalName !== 'SIGINT') child.kill('SIGTERM');
  };
  context.signal.addEventListener('abort', pass, { once: true });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve(code ?? exitCodes.someFailed));
  });
}
