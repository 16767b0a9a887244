import type { ChildProcess } from 'node:child_process';
import { workerPath } from '../util/dist.js';
import { UserError } from '../util/errors.js';
import type { Host } from '../util/host.js';
import type { NodeSpec } from './emulated-node.js';
import type { Namespaces } from './netns.js';
import type { NodeHost, RunningNode } from './node-host.js';
import type { NodePhase } from './node-machine.js';
import type { FromNodeProcess, ToNodeProcess } from './node-process.js';
import { newHostKey } from './host-key.js';
import type { ShellProgram } from './shell-program.js';

export type NetnsNodeHostOptions = {
  host: Host;
  namespaces: Namespaces;
  shellProgram: ShellProgram | null;
  sessionsFolder: string;
  frisbeeBin: string | null;
};

const CLOSE_PATIENCE_MS = 4_000;

/** Runs each node in a process of its own, inside the node's network namespace. */
export async function netnsNodeHost(options: NetnsNodeHostOptions): Promise<NodeHost> {
  const { default: ssh2 } = await import('ssh2');
  const sshHostKey = newHostKey(ssh2.utils);
  const processes: NodeProcess[] = [];
  const problems: string[] = [];
  const { shellProgram, sessionsFolder, frisbeeBin } = options;
  return {
    start: async (spec) => {
      const node = new NodeProcess(spec, options, (text) => problems.push(text));
      processes.push(node);
      await node.start({ kind: 'start', spec, shellProgram, sessionsFolder, frisbeeBin, sshHostKey });
      return node.running;
    },
    close: async () => {
      await Promise.all(processes.map((node) => node.close()));
    },
    problems: () => problems,
  };
}

class NodeProcess {
  readonly running: RunningNode;
  readonly #child: ChildProcess;
  readonly #name: string;
  readonly #exited: Promise<void>;
  #phase: NodePhase;
  #closing = false;
  #settle: { started(): void; failed(why: string): void } | undefined;

  constructor(spec: NodeSpec, { host, namespaces }: NetnsNodeHostOptions, problem: (text: string) => void) {
    const { number, name, controlIp } = spec.addresses;
    this.#name = name;
    this.#phase = spec.running ? 'os' : 'off';
    this.running = { number, name, controlIp, diskPath: spec.diskPath, phase: () => this.#phase };
    const [program = '', ...args] = namespaces.onNode(number, [process.execPath, workerPath('testbed-node')]);
    this.#child = host.spawn(program, args, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
    this.#exited = new Promise((resolve) => {
      const gone = (why: string): void => {
        this.#settle?.failed(why);
        if (!this.#closing) problem(`${name}: its process ${why}`);
        resolve();
      };
      this.#child.on('error', (error) => gone(error.message));
      this.#child.on('exit', (code, signal) => gone(`ended with ${signal ?? code}`));
    });
    this.#child.on('message', (message: FromNodeProcess) => {
      if (message.kind === 'started') this.#settle?.started();
      else if (message.kind === 'failed') this.#settle?.failed(message.message);
      else if (message.kind === 'phase') this.#phase = message.phase;
      else if (message.kind === 'problem') problem(message.text);
    });
  }

  start(message: ToNodeProcess): Promise<void> {
    return new Promise((resolve, reject) => {
      const failed = (why: string): void =>
        reject(new UserError('environment', `cannot start ${this.#name} in its network namespace: ${why}`));
      this.#settle = { started: resolve, failed };
      this.#child.send(message, (error) => {
        if (error) failed(error.message);
      });
    });
  }

  async close(): Promise<void> {
    this.#closing = true;
    if (this.#child.connected) this.#child.send({ kind: 'close' } satisfies ToNodeProcess, () => undefined);
    const late = setTimeout(() => this.#child.kill('SIGKILL'), CLOSE_PATIENCE_MS);
    await this.#exited;
    clearTimeout(late);
  }
}
