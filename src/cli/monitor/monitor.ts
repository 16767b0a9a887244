import { randomBytes } from 'node:crypto';
import type { InventoryNode } from '../../inventory/inventory.js';
import { isScreen } from '../../monitor/monitor.js';
import { createPowerClient } from '../../power/client.js';
import { createLinks } from '../../pxe/links.js';
import { defaultAuth } from '../../ssh/keys.js';
import { childSignal } from '../../util/abort.js';
import { say, warn } from '../../util/say.js';
import { UndoStack } from '../../util/undo.js';
import { Interrupted } from '../../engine/interrupted.js';
import { createPinger } from '../../workflows/steps/ping.js';
import type { NodeChange, NodeView } from '../../events/node-view.js';
import { watchNodes } from '../../workflows/watch.js';
import type { CommandContext } from '../kit/command.js';
import type { ArgumentsOf } from '../kit/option-spec.js';
import { exitCodes } from '../kit/exit.js';
import { PersonLeft } from '../kit/person-left.js';
import { ChangeLog } from '../../monitor/live/change-log.js';
import type { Output } from '../../monitor/live/output.js';
import { changeText } from './watch-text.js';
import { foldingOf, openSite, selectedNodes, type Site } from '../../app/site.js';
import type { monitorSpec } from './monitor.spec.js';

/** Watches nodes until it is told to end, which is no failure: exit code 0. */
export async function run({ words, options }: ArgumentsOf<typeof monitorSpec>, context: CommandContext): Promise<number> {
  const outputs = await outputsOf(options);
  const site = await openSite(context);
  for (const warning of site.warnings) warn(context.stderr, warning);
  // a look at the testbed is not a run: NODES plays no part
  const nodes =
    words.length === 0 && !options.allNodes
      ? site.inventory.nodes
      : selectedNodes({ words, allNodes: options.allNodes }, site, context.host);
  const leaving = childSignal(context.signal);
  const undo = new UndoStack();
  try {
    return await watch(nodes, site, outputs, {
      options,
      context,
      undo,
      leave: () => leaving.abort(new PersonLeft()),
      signal: leaving.signal,
    });
  } catch (error) {
    if (error instanceof PersonLeft || (error instanceof Interrupted && error.exitCode >= exitCodes.hangup)) return exitCodes.ok;
    throw error;
  } finally {
    leaving.release();
    for (const problem of await undo.run()) warn(context.stderr, problem);
  }
}

type MonitorOptions = ArgumentsOf<typeof monitorSpec>['options'];

type Watching = { options: MonitorOptions; context: CommandContext; undo: UndoStack; leave: () => void; signal: AbortSignal };

async function watch(nodes: readonly InventoryNode[], site: Site, outputs: Outputs, watching: Watching): Promise<never> {
  const {
    options,
    context: { host, stderr },
    undo,
    signal,
  } = watching;
  const { networking, monitor, pxelinux, nodes: timing } = site.config;
  const beware = (warning: string): void => warn(stderr, warning);
  const power = createPowerClient({ port: networking.cmcPort, requestTimeoutMs: timing.statusTimeoutMs });
  undo.push('closing the connections to the CMC cards', () => power.close());
  const pinger = networking.pingCommand === null ? null : createPinger(networking.pingCommand, host, beware);
  if (pinger) undo.push('ending the ping program', () => pinger.close());
  const links = createLinks({ configDir: pxelinux.configDir, target: pxelinux.frisbeeImage, host });
  let log: ChangeLog | null = null;
  let opening: Promise<void> = Promise.resolve();
  const failed = childSignal(signal);
  return watchNodes(nodes, {
    power,
    pinger,
    host,
    holder: (mac) => links.holder(mac),
    signal: failed.signal,
    ssh: { port: networking.sshPort, username: options.user ?? 'root', auth: await defaultAuth(host.home(), host.env) },
    cmcTimeoutMs: timing.statusTimeoutMs,
    cycleMs: options.cycle === undefined ? monitor.cycleMs : options.cycle * 1000,
    loginMs: monitor.loginCycleMs,
    onReady: (states) => {
      log = new ChangeLog(randomBytes(6).toString('hex'), states, () => host.now());
      opening = openOutputs(log, states, site, outputs, watching).catch((error: unknown) => failed.abort(error));
    },
    onChange: (change) => log?.add(change),
  }).finally(async () => {
    failed.release();
    await opening;
  });
}

type Outputs = { json: boolean; quiet: boolean; urls: URL[]; listen: { host: string; port: number } | null };

/** What the options ask for; throws UserError `usage`. */
async function outputsOf({ websocket: urls, listen, json, quiet }: MonitorOptions): Promise<Outputs> {
  const { checkWebsocketUrl } = urls.length > 0 ? await import('../../monitor/live/websocket-output.js') : { checkWebsocketUrl: null };
  const { parseListen } = listen !== undefined ? await import('../../monitor/live/listen-output.js') : { parseListen: null };
  return {
    json,
    quiet,
    urls: checkWebsocketUrl ? urls.map(checkWebsocketUrl) : [],
    listen: parseListen && listen !== undefined ? parseListen(listen) : null,
  };
}

async function openOutputs(
  log: ChangeLog,
  states: ReadonlyMap<string, NodeView>,
  site: Site,
  { json, quiet, urls, listen }: Outputs,
  watching: Watching,
): Promise<void> {
  const { context, undo, leave } = watching;
  const { stdout, stderr, host } = context;
  const add = (what: string, output: Output): void => void undo.push(what, () => output.close());
  const terminal = terminalOf(context);
  const screen = !json && !quiet && terminal !== null;
  const notes = new Map<string, string>();
  const tellOf =
    (which: string) =>
    (note: string): void => {
      notes.set(which, `${which} ${note}`);
      if (!screen) say(stderr, `imaging-monitor: ${which} ${note}`);
    };
  if (listen) {
    const { listenOutput } = await import('../../monitor/live/listen-output.js');
    add('closing the server', await listenOutput(log, listen, tellOf('--listen'), { names: site.config.monitor.listenNames }));
  }
  for (const url of urls) {
    const { websocketOutput } = await import('../../monitor/live/websocket-output.js');
    add(`closing the connection to ${url.host}`, websocketOutput(log, url, host, tellOf('--websocket')));
  }
  const onGone = (): void => {
    if (listen === null && urls.length === 0) leave(); // nobody is left to be told
  };
  if (json) {
    const { linesOutput } = await import('../../monitor/live/lines-output.js');
    add('ending the lines', linesOutput(log, stdout, onGone));
  } else if (screen) {
    const { watchScreen } = await import('./watch-screen.js');
    add(
      'giving the terminal back',
      watchScreen({ out: terminal, states, log, fold: foldingOf(site), notes: () => [...notes.values()], onLeave: leave }, context),
    );
  } else if (!quiet) add('ending the lines', plainLines(log, states.size, context, onGone));
}

/** Standard output when a live screen can be drawn there. */
function terminalOf({ host }: CommandContext): NodeJS.WriteStream | null {
  return isScreen(process.stdout, host.env) ? process.stdout : null;
}

/** A line for each change, for people and log files. */
function plainLines(log: ChangeLog, count: number, { stdout, host }: CommandContext, onGone: () => void): Output {
  const line = (at: number, words: string): void => say(stdout, `${new Date(at).toISOString()} ${words}`);
  line(host.now(), `watching ${count} node${count === 1 ? '' : 's'}`);
  let told = 0;
  const forget = log.onChange(() => {
    for (const change of log.after(told)) tell(change);
    told = log.seq;
  });
  const tell = (change: NodeChange): void => line(change.at, `${change.node} ${changeText(change)}`);
  stdout.on('error', onGone);
  return {
    close: async () => {
      forget();
      stdout.off('error', onGone);
    },
  };
}
