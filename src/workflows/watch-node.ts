import type { LimitFunction } from 'p-limit';
import type { InventoryNode } from '../inventory/inventory.js';
import type { PowerClient } from '../power/client.js';
import type { Holder } from '../pxe/links.js';
import { probeBanner } from '../ssh/banner.js';
import type { LoginAuth } from '../ssh/login.js';
import { withDeadline } from '../util/abort.js';
import { Failure, systemCode } from '../util/errors.js';
import type { Host } from '../util/host.js';
import type { Pinger } from './ping.js';
import { askSystem } from './watch-login.js';
import { noSystem, type NodeFacts, type NodeView } from './watch-state.js';

export type LookOptions = {
  power: PowerClient;
  /** Null: no ping. */
  pinger: Pinger | null;
  holder(mac: string): Promise<Holder | null>;
  ssh: { port: number; username: string; auth: LoginAuth };
  /** For one request to a card, milliseconds. */
  cmcTimeoutMs: number;
  /** So often a system that nothing happened to is logged in to, milliseconds. */
  loginMs: number;
  host: Pick<Host, 'now' | 'monotonicMs'>;
  signal: AbortSignal;
  /** How many of each may be under way for all nodes together. */
  limits: { cards: LimitFunction; probes: LimitFunction; logins: LimitFunction };
};

const PROBE_MS = 2_000;
const LOGIN_MS = 10_000;
/** One unanswered question may be a lost packet; two in a row are silence. */
const SILENCES = 2;
/** The USRP is asked every so many looks at the card, and when the node's power has changed. */
const USRP_EVERY = 5;
/** This machine's own trouble, which says nothing about a node. */
const OWN_TROUBLE: ReadonlySet<string> = new Set(['EMFILE', 'ENFILE', 'ENOBUFS', 'ENOMEM', 'EACCES', 'EPERM']);

/** Looks at one node, again and again. `tell` is given what was seen, and compares. */
export class NodeWatch {
  readonly #node: InventoryNode;
  readonly #options: LookOptions;
  readonly #state: () => NodeView;
  readonly #tell: (facts: Partial<NodeFacts>) => void;
  #cardLooks = 0;
  readonly #silent = { card: 0, ssh: 0, ping: 0, login: 0 };
  #loginDue = true;
  #loggedInMs = -Infinity;

  constructor(node: InventoryNode, options: LookOptions, state: () => NodeView, tell: (facts: Partial<NodeFacts>) => void) {
    this.#node = node;
    this.#options = options;
    this.#state = state;
    this.#tell = (facts) => {
      const { cmc, ping, ssh, holder } = state();
      tell(facts);
      const now = state();
      // only these say that another system may run now
      if (now.cmc !== cmc || now.ping !== ping || now.ssh !== ssh || now.holder?.run !== holder?.run) this.#loginDue = true;
    };
  }

  /** One question to the card, at times a second one. */
  async lookAtCard(): Promise<void> {
    const before = this.#state().cmc;
    const power = await this.#ask('status');
    if (power === 'keep') return;
    if (power === 'silent') {
      if (++this.#silent.card >= SILENCES || before === null) this.#tell({ cmc: 'silent', usrp: null });
      return;
    }
    this.#silent.card = 0;
    const usrp = before !== power || this.#cardLooks % USRP_EVERY === 0 ? await this.#ask('usrpstatus') : 'keep';
    this.#cardLooks += 1;
    this.#tell({ cmc: power, ...(usrp === 'keep' ? {} : { usrp: usrp === 'silent' ? null : usrp }) });
  }

  async #ask(verb: 'status' | 'usrpstatus'): Promise<'on' | 'off' | 'silent' | 'keep'> {
    const { power, signal, limits, cmcTimeoutMs } = this.#options;
    try {
      return (await limits.cards(() => power.send(this.#node.cmc, verb, { signal, timeoutMs: cmcTimeoutMs }))).state ?? 'silent';
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      return error.code === 'cmc-busy' || isOwnTrouble(error) ? 'keep' : 'silent';
    }
  }

  /** Who holds it, whether its system answers, and which one that is. */
  async lookAtSystem(): Promise<void> {
    this.#tell({ holder: holderOf(await this.#options.holder(this.#node.control.mac)) });
    const sshd = await this.#probe();
    if (sshd === 'keep') return;
    if (sshd === 'yes') {
      Object.assign(this.#silent, { ssh: 0, ping: 0 });
      return this.#login();
    }
    const first = this.#state().ssh === null;
    if (sshd === 'refused' || first || ++this.#silent.ssh >= SILENCES) this.#tell({ ssh: 'no', ...noSystem, ...(await this.#ping()) });
    else this.#tell(await this.#ping());
  }

  async #probe(): Promise<'yes' | 'refused' | 'silent' | 'keep'> {
    const { ssh, signal, limits } = this.#options;
    try {
      await limits.probes(() => probeBanner({ host: this.#node.control.ip, port: ssh.port, timeoutMs: PROBE_MS, signal }));
      return 'yes';
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      if (isOwnTrouble(error)) return 'keep';
      return error.code === 'ssh-refused' ? 'refused' : 'silent';
    }
  }

  /** Asked only where no sshd answers: a program costs more than a connection. */
  async #ping(): Promise<Partial<NodeFacts>> {
    const { pinger, signal, limits } = this.#options;
    if (pinger === null) return {};
    const late = (): Failure => new Failure('ping-late', 'no answer');
    const answers = await limits.probes(() => withDeadline(signal, PROBE_MS, late, (inner) => pinger.answers(this.#node.control.ip, inner))).catch((error: unknown) => {
      if (!(error instanceof Failure)) throw error;
      return false;
    });
    if (answers) this.#silent.ping = 0;
    else if (++this.#silent.ping < SILENCES && this.#state().ping !== null) return {};
    return { ping: answers };
  }

  async #login(): Promise<void> {
    const { host, loginMs, limits, ssh, signal } = this.#options;
    if (this.#state().ssh === 'no') this.#loginDue = true;
    if (!this.#loginDue && host.monotonicMs() - this.#loggedInMs < loginMs) return;
    const address = { host: this.#node.control.ip, port: ssh.port, username: ssh.username, auth: ssh.auth, timeoutMs: LOGIN_MS, signal };
    try {
      const facts = await limits.logins(() => askSystem(address, () => host.now()));
      const { bootId, bootedAt } = this.#state();
      const sameBoot = facts.bootId !== null && facts.bootId === bootId; // then the uptime only jitters
      this.#tell({ ping: true, ssh: 'yes', ...facts, ...(sameBoot ? { bootedAt } : {}) });
      this.#silent.login = 0;
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      // a system on its way up or down drops logins; one that means it says so
      if (error.code !== 'ssh-auth-failed' && ++this.#silent.login < SILENCES) return;
      this.#tell({ ping: true, ssh: 'no-login', ...noSystem });
    }
    this.#loginDue = false;
    this.#loggedInMs = host.monotonicMs();
  }
}

function holderOf(holder: Holder | null): NodeFacts['holder'] {
  return holder && { run: holder.run, login: holder.login, host: holder.host, pid: holder.pid, at: holder.at };
}

function isOwnTrouble(error: Failure): boolean {
  return OWN_TROUBLE.has(systemCode(error.cause) ?? '');
}
