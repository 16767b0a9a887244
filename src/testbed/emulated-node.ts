import { randomUUID } from 'node:crypto';
import { rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { messageOf } from '../util/errors.js';
import type { NodeAddresses } from './addresses.js';
import { findBootTarget } from './boot-target.js';
import type { CmcServers } from './cmc-servers.js';
import { NodeDisk } from './disk.js';
import { listenOn } from './listening.js';
import { initialState, step, type BootTarget, type NodeEvent, type NodePhase, type NodeSetup, type NodeState } from './node-machine.js';
import type { OpenShell } from './shell.js';
import type { RunningSystem, SshServers, Sshd } from './ssh-servers.js';
import { TelnetSession } from './telnet-session.js';

export type NodePorts = { cmc: number; telnet: number; ssh: number };

/** Everything about one node that is known before it starts; plain data, so that it can be handed to another process. */
export type NodeSpec = {
  addresses: NodeAddresses;
  ports: NodePorts;
  /** The TFTP server's pxelinux.cfg folder. */
  pxeFolder: string;
  diskPath: string;
  /** A file that exists while some system runs on the node: what the testbed's `ping` looks at. */
  upPath: string;
  setup: NodeSetup;
  /** It starts switched on, with the system on its disk running. */
  running: boolean;
};

/** What nodes of one process share, and what they call back. */
export type NodeServices = {
  cmc: CmcServers;
  ssh: SshServers;
  /** The shell of a node's ramdisk; `crash` makes the node die without a word. */
  shell(spec: NodeSpec, disk: NodeDisk, crash: () => void, uptimeSeconds: () => number): OpenShell;
  /** The stamp of the image on a disk (the text of its /etc/imaging-image), or null. */
  stamp(diskPath: string): Promise<string | null>;
  /** A node does something else than before. */
  phaseChanged(name: string, phase: NodePhase): void;
  /** Something the emulation itself could not do, such as listen on a port. */
  problem(text: string): void;
};

/** One node: the state machine of node-machine.ts, with real sockets, a disk and timers around it. */
export class EmulatedNode {
  readonly spec: NodeSpec;
  readonly disk: NodeDisk;
  readonly #services: NodeServices;
  readonly #openShell: OpenShell;
  #state: NodeState;
  #timer: NodeJS.Timeout | undefined;
  #bootId = '';
  #bootedAtMs = 0;
  #telnetd: Server | undefined;
  #sshd: Promise<Sshd | null> | undefined;
  #power = new AbortController();
  readonly #sessions = new Set<TelnetSession>();
  /** Connections nobody will ever answer: to a silent telnetd, or from before the node froze. */
  readonly #mute = new Set<Socket>();
  #closed = false;

  private constructor(spec: NodeSpec, services: NodeServices) {
    this.spec = spec;
    this.#services = services;
    this.disk = new NodeDisk(spec.diskPath);
    this.#state = initialState(spec.setup);
    this.#openShell = services.shell(
      spec,
      this.disk,
      () => this.#dispatch({ type: 'crash' }),
      () => (performance.now() - this.#bootedAtMs) / 1000,
    );
  }

  /** Opens the node's power card and, when it is to be running, its system. Rejects when an address is taken. */
  static async start(spec: NodeSpec, services: NodeServices): Promise<EmulatedNode> {
    const node = new EmulatedNode(spec, services);
    const { faults } = spec.setup;
    if (!faults.cmcRefused) {
      await services.cmc.open(spec.addresses.cmcIp, spec.ports.cmc, faults.cmcSilent ? 'silent' : 'answers', (verb) => node.request(verb));
    }
    if (spec.running) {
      node.#state = { ...node.#state, phase: 'os' };
      node.#beginBoot();
      await node.#osUp();
    }
    return node;
  }

  get phase(): NodePhase {
    return this.#state.phase;
  }

  /** What the power card answers to `GET /verb`, and does. */
  request(verb: string): { status: number; text: string } {
    return this.#dispatch({ type: 'request', verb }) ?? { status: 500, text: 'no answer' };
  }

  /** Switches the node off for good; its power card is closed by who opened it. */
  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#kill();
    for (const socket of this.#mute) socket.destroy();
  }

  #dispatch(event: NodeEvent): { status: number; text: string } | undefined {
    if (this.#closed) return undefined;
    const { state, effects } = step(this.spec.setup, this.#state, event);
    const before = this.#state.phase;
    this.#state = state;
    if (state.phase !== before) this.#services.phaseChanged(this.spec.addresses.name, state.phase);
    let answer: { status: number; text: string } | undefined;
    for (const effect of effects) {
      if (effect.type === 'answer') answer = effect;
      else if (effect.type === 'kill') this.#kill();
      else if (effect.type === 'freeze') this.#freeze();
      else if (effect.type === 'timer') this.#wait(effect.delayMs, { type: 'timer', cycle: effect.cycle });
      else if (effect.type === 'find-boot-target') this.#dispatch({ type: 'boot-target', cycle: effect.cycle, target: this.#bootTarget() });
      else void (effect.type === 'ramdisk-up' ? this.#ramdiskUp() : this.#osUp());
    }
    return answer;
  }

  #wait(delayMs: number, event: NodeEvent): void {
    clearTimeout(this.#timer); // a machine waits for one thing at a time: the newest
    this.#timer = setTimeout(() => this.#dispatch(event), delayMs);
  }

  #bootTarget(): BootTarget {
    this.#beginBoot();
    try {
      return findBootTarget(this.spec.pxeFolder, this.spec.addresses.controlMac, () => this.disk.holdsSystem());
    } catch (error) {
      this.#problem('looking for something to boot', error);
      return 'nothing';
    }
  }

  #beginBoot(): void {
    this.#bootId = randomUUID();
    this.#bootedAtMs = performance.now();
    this.#power = new AbortController();
  }

  async #ramdiskUp(): Promise<void> {
    const { addresses, ports } = this.spec;
    const server = createServer({ noDelay: true }, (socket) => this.#telnet(socket));
    this.#telnetd = server;
    try {
      await listenOn(server, addresses.controlIp, ports.telnet);
      if (this.#telnetd === server) this.#markUp();
      else server.close(); // the power went before the address was ours
    } catch (error) {
      this.#problem(`telnet on ${addresses.controlIp}:${ports.telnet}`, error);
    }
  }

  #telnet(socket: Socket): void {
    if (this.spec.setup.faults.telnetSilent) return this.#keepMute(socket);
    const session = new TelnetSession(socket, this.#openShell);
    this.#sessions.add(session);
    socket.on('close', () => this.#sessions.delete(session));
  }

  async #osUp(): Promise<void> {
    const { addresses, ports, setup } = this.spec;
    const { signal } = this.#power;
    this.#markUp();
    if (setup.faults.sshRefused) return;
    const bootedAtMs = this.#bootedAtMs;
    const system: RunningSystem = {
      hostname: addresses.name,
      bootId: this.#bootId,
      uptimeSeconds: () => (performance.now() - bootedAtMs) / 1000,
      stamp: () => this.#services.stamp(this.spec.diskPath),
    };
    const opening = this.#services.ssh.open(addresses.controlIp, ports.ssh, system, signal);
    this.#sshd = opening.catch((error: unknown) => {
      this.#problem(`ssh on ${addresses.controlIp}:${ports.ssh}`, error);
      return null;
    });
    await this.#sshd;
  }

  #markUp(): void {
    writeFileSync(this.spec.upPath, '');
  }

  /** No power: listeners, sessions and the programs in them end at once. */
  #kill(): void {
    this.#goDown((sshd) => sshd.kill());
    for (const session of this.#sessions) session.kill();
    this.#sessions.clear();
  }

  /** No more answers, on connections old and new: the old ones stay open. */
  #freeze(): void {
    clearTimeout(this.#timer);
    this.#goDown((sshd) => sshd.freeze().forEach((socket) => this.#keepMute(socket)));
    for (const session of this.#sessions) this.#keepMute(session.freeze());
    this.#sessions.clear();
  }

  #goDown(stop: (sshd: Sshd) => void): void {
    this.#power.abort(new Error('power off'));
    rmSync(this.spec.upPath, { force: true });
    this.#telnetd?.close();
    this.#telnetd = undefined;
    void this.#sshd?.then((sshd) => {
      if (sshd) stop(sshd);
    });
    this.#sshd = undefined;
  }

  #keepMute(socket: Socket): void {
    this.#mute.add(socket);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => this.#mute.delete(socket));
    socket.resume();
  }

  #problem(what: string, error: unknown): void {
    this.#services.problem(`${this.spec.addresses.name}: ${what}: ${messageOf(error)}`);
  }
}
