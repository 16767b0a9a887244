import type { LimitFunction } from 'p-limit';
import type { InventoryNode } from '../../inventory/inventory.js';
import type { PowerClient } from '../../power/client.js';
import type { Holder } from '../../pxe/links.js';
import type { LoginAuth, SshLogin } from '../../ssh/login.js';
import { withDeadline } from '../../util/abort.js';
import { Failure, systemCode } from '../../util/errors.js';
import type { Host } from '../../util/host.js';
import { HeldLogin } from './held-login.js';
import type { Pinger } from '../steps/ping.js';
import { askSystem } from './watch-login.js';
import { noSystem, type NodeFacts, type NodeView } from '../../events/node-view.js';
import { fail as sshFail } from '../../ssh/failures.js';
import { fail as powerFail } from '../../power/failures.js';

export type LookOptions = {
  power: PowerClient;
  /** Null: no ping. */
  pinger: Pinger | null;
  holder(mac: string): Promise<Holder | null>;
  ssh: { port: number; username: string; auth: LoginAuth };
  /** For one request to a card, milliseconds. */
  cmcTimeoutMs: number;
  /** So often a system that nothing happened to is asked what it is, milliseconds. */
  loginMs: number;
  host: Pick<Host, 'now' | 'monotonicMs'>;
  signal: AbortSignal;
  /** How many of each may be under way for all nodes together. */
  limits: { cards: LimitFunction; probes: LimitFunction; logins: LimitFunction };
};

const PROBE_MS = 2_000;
/** An sshd that has not let us in by then is told of as one that does not; the login goes on all the same. */
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
  readonly #sshd: HeldLogin;
  /** It answers ssh and not ping: no answer to ping means nothing. */
  #isPingless = false;
  #factsDue = true;
  #askedMs = -Infinity;

  constructor(node: InventoryNode, options: LookOptions, state: () => NodeView, tell: (facts: Partial<NodeFacts>) => void) {
    this.#node = node;
    this.#options = options;
    this.#state = state;
    this.#tell = (facts) => {
      const { cmc, ping, ssh, holder } = state();
      tell(facts);
      const now = state();
      // only these say that another system may run now
      if (now.cmc !== cmc || now.ping !== ping || now.ssh !== ssh || now.holder?.run !== holder?.run) this.#factsDue = true;
      if ((cmc !== null && now.cmc !== cmc) || now.holder?.run !== holder?.run) this.#sshd.hurry();
    };
    const { ssh, signal, host, limits } = options;
    const turn = <T>(work: () => Promise<T>): Promise<T> => limits.logins(work);
    const opening = <T>(work: () => Promise<T>): Promise<T> => limits.probes(work);
    this.#sshd = new HeldLogin({
      host: node.control.ip,
      ...ssh,
      keepaliveMs: PROBE_MS,
      signal,
      turn,
      opening,
      monotonicMs: () => host.monotonicMs(),
    });
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
      return powerFail.is(error, 'cmc-busy') || isOwnTrouble(error) ? 'keep' : 'silent';
    }
  }

  /** Who holds it, whether its system answers, and which one that is. */
  async lookAtSystem(): Promise<void> {
    this.#tell({ holder: holderOf(await this.#options.holder(this.#node.control.mac)) });
    const sshd = await this.#sshd.look(PROBE_MS);
    switch (sshd.type) {
      case 'keep':
        return;
      case 'in':
        return this.#askFacts(sshd.login);
      case 'waiting':
        return this.#whileWaiting();
      case 'greeted':
        return this.#notIn(sshd.ageMs >= LOGIN_MS);
      case 'dropped': // a system on its way up or down drops logins; one that means it says so
        return this.#notIn(++this.#silent.login >= SILENCES);
      case 'no-login':
        return this.#notIn(true);
      case 'refused':
      case 'silent':
        return this.#nobody(sshd.type === 'refused');
    }
  }

  /** No sshd. */
  async #nobody(surely: boolean): Promise<void> {
    const first = this.#state().ssh === null;
    if (surely || first || ++this.#silent.ssh >= SILENCES) this.#tell({ ssh: 'no', ...noSystem, ...(await this.#ping()) });
    else this.#tell(await this.#ping());
  }

  /** An sshd that is not asked for a while: ping tells when its machine has gone, and then it can do no harm to ask. */
  async #whileWaiting(): Promise<void> {
    if (this.#isPingless) return;
    const { ping } = await this.#ping();
    if (ping === false) this.#sshd.hurry();
  }

  /** An sshd has answered. */
  #sshdAnswered(): void {
    if (this.#silent.ping >= SILENCES) this.#isPingless = true;
    Object.assign(this.#silent, { ssh: 0, ping: 0 });
  }

  /** An sshd that does not let us in, if it is sure. */
  #notIn(surely: boolean): void {
    this.#sshdAnswered();
    if (surely) this.#tell({ ping: true, ssh: 'no-login', ...noSystem });
  }

  /** Asked only where no sshd answers: a program costs more than a connection. */
  async #ping(): Promise<Partial<NodeFacts>> {
    const { pinger, signal, limits } = this.#options;
    if (pinger === null) return {};
    const late = new Error('no answer');
    const answers = await limits
      .probes(() =>
        withDeadline(
          signal,
          PROBE_MS,
          () => late,
          (inner) => pinger.answers(this.#node.control.ip, inner),
        ),
      )
      .catch((error: unknown) => {
        if (error !== late) throw error;
        return false;
      });
    if (answers) this.#silent.ping = 0;
    else if (++this.#silent.ping < SILENCES && this.#state().ping !== null) return {};
    return { ping: answers };
  }

  async #askFacts(login: SshLogin): Promise<void> {
    const { host, loginMs, signal } = this.#options;
    this.#sshdAnswered();
    if (this.#state().ssh !== 'yes') this.#factsDue = true;
    if (!this.#factsDue && host.monotonicMs() - this.#askedMs < loginMs) return;
    const late = (): Failure => sshFail('ssh-timeout', 'no answer');
    try {
      const facts = await withDeadline(signal, LOGIN_MS, late, () => askSystem(login, () => host.now()));
      const { bootId, bootedAt } = this.#state();
      const sameBoot = facts.bootId !== null && facts.bootId === bootId; // then the uptime only jitters
      this.#tell({ ping: true, ssh: 'yes', ...facts, ...(sameBoot ? { bootedAt } : {}) });
      this.#silent.login = 0;
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      return this.#notIn(++this.#silent.login >= SILENCES);
    }
    this.#factsDue = false;
    this.#askedMs = host.monotonicMs();
  }
}

function holderOf(holder: Holder | null): NodeFacts['holder'] {
  return holder && { run: holder.run, login: holder.login, host: holder.host, pid: holder.pid, at: holder.at };
}

function isOwnTrouble(error: Failure): boolean {
  return OWN_TROUBLE.has(systemCode(error.cause) ?? '');
}
