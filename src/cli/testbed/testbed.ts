import { resolve } from 'node:path';
import { loadConfig } from '../../config/read-config.js';
import { loadInventory } from '../../inventory/read-inventory.js';
import { parseFault } from '../../testbed/fault.js';
import { startTestbed, type InventorySite, type Testbed } from '../../testbed/testbed.js';
import { untilAborted } from '../../util/abort.js';
import { UserError } from '../../util/errors.js';
import { say, warn } from '../../util/say.js';
import { Interrupted } from '../../engine/interrupted.js';
import type { CommandContext } from '../kit/command.js';
import type { ArgumentsOf } from '../kit/option-spec.js';
import { endingSignals, exitCodes } from '../kit/exit.js';
import { namesOf } from '../../app/site.js';
import type { testbedSpec } from './testbed.spec.js';

/** More nodes than this get the built-in shell unless asked otherwise: a real one costs a process each. */
const REAL_SHELLS = 50;

export async function run({ words, options, rest }: ArgumentsOf<typeof testbedSpec>, context: CommandContext): Promise<number> {
  const [verb, countWord, ...more] = words;
  const { inventory: file } = options;
  if ((verb !== 'up' && verb !== 'run') || (countWord === undefined) !== (file !== undefined) || more.length > 0) {
    throw new UserError(
      'usage',
      file === undefined
        ? "say 'up N' or 'run N -- command'"
        : "with --inventory say 'up' or 'run -- command': the inventory says how many nodes there are",
      'see imaging-testbed --help',
    );
  }
  if (verb === 'run' && rest.length === 0)
    throw new UserError('usage', 'run needs a command after --', 'imaging-testbed run 12 -- imaging-load -i demo 1-12');
  const site = file === undefined ? undefined : await siteOf(file, context);
  const testbed = await open(site ? site.inventory.nodes.length : countOf(countWord), site, options, context);
  try {
    return verb === 'up' ? await stayUp(testbed, context) : await runInside(testbed, rest, context);
  } finally {
    for (const problem of await testbed.close()) warn(context.stderr, problem);
  }
}

function countOf(word = ''): number {
  const count = /^\d{1,5}$/.test(word) ? Number(word) : 0;
  if (count < 1) throw new UserError('usage', `${JSON.stringify(word)} is not a number of nodes`);
  return count;
}

/** An inventory, read as the commands will that use the testbed: its names are the configuration's. */
async function siteOf(file: string, context: CommandContext): Promise<InventorySite> {
  const names = namesOf((await loadConfig(context.host)).config);
  return { names, inventory: await loadInventory(resolve(context.host.cwd(), file), names) };
}

type TestbedOptions = ArgumentsOf<typeof testbedSpec>['options'];

function open(count: number, site: InventorySite | undefined, options: TestbedOptions, context: CommandContext): Promise<Testbed> {
  const { boot, size, dir = null, frisbeeBin } = options;
  return startTestbed({
    count,
    faults: options.fault.map(parseFault),
    shell: options.shell ?? (count > REAL_SHELLS ? 'builtin' : 'real'),
    frisbee: options.frisbee ?? 'real',
    on: options.on,
    netns: options.netns,
    signal: context.signal,
    host: context.host,
    dir,
    ...(site ? { site } : {}),
    ...(frisbeeBin === undefined ? {} : { frisbeeBin }),
    ...(boot === undefined ? {} : { bootMs: boot * 1000, osBootMs: boot * 1000 }),
    ...(size === undefined ? {} : { imageBytes: Math.round(size) * 1_048_576 }),
  });
}

async function stayUp(testbed: Testbed, context: CommandContext): Promise<number> {
  say(context.stdout, `ready: ${testbed.nodes.length} nodes in ${testbed.dir}; in another terminal:`);
  for (const [name, value] of Object.entries(testbed.env)) say(context.stdout, `  export ${name}=${JSON.stringify(value)}`);
  say(context.stdout, 'Ctrl-C ends it');
  try {
    return await untilAborted(context.signal, new Promise<never>(() => {}));
  } catch (reason) {
    if (reason instanceof Interrupted) return exitCodes.ok; // that is how it ends
    throw reason;
  }
}

/** Runs a command with the testbed's environment and its terminal; signals that reach us are passed on, and we wait for it. */
async function runInside(testbed: Testbed, command: readonly string[], context: CommandContext): Promise<number> {
  const [program = '', ...args] = testbed.onGateway(command);
  const child = context.host.spawn(program, args, { stdio: 'inherit', env: { ...context.host.env, ...testbed.env } });
  const pass = (): void => {
    // Ctrl-C reaches the whole process group, the child included; a kill of us alone does not
    if (context.signal.reason instanceof Interrupted && context.signal.reason.signalName !== 'SIGINT')
      child.kill(signalOf(context.signal.reason));
  };
  context.signal.addEventListener('abort', pass, { once: true });
  return new Promise((resolve, reject) => {
    child.once('error', (cause) =>
      reject(new UserError('environment', `cannot run ${command[0]}: ${cause.message}`, undefined, { cause })),
    );
    child.once('close', (code, signalName) =>
      resolve(
        code ??
          (signalName && signalName in endingSignals ? endingSignals[signalName as keyof typeof endingSignals] : exitCodes.someFailed),
      ),
    );
  });
}

function signalOf(reason: Interrupted): NodeJS.Signals {
  return reason.signalName === 'SIGHUP' ? 'SIGHUP' : 'SIGTERM';
}
