import { openLogin, type LoginOptions, type SshLogin } from '../../ssh/login.js';
import { sleep } from '../../util/abort.js';
import { Failure, systemCode } from '../../util/errors.js';
import type { Host } from '../../util/host.js';
import { sshPatienceMs } from '../../ssh/patience.js';
import { fail as sshFail } from '../../ssh/failures.js';

/**
 * What is known of a node's sshd. `in`: we are logged in; `refused`, `silent`: nothing there; `greeted`: it answers, and the
 * login has gone on for `ageMs`; `no-login`: it does not let us in; `dropped`: it hung up; `waiting`: not asked just
 * now, so as not to be shut out; `keep`: trouble of this machine, which says nothing.
 */
export type SshLook =
  | { type: 'in'; login: SshLogin }
  | { type: 'greeted'; ageMs: number }
  | { type: 'refused' | 'silent' | 'no-login' | 'dropped' | 'waiting' | 'keep' };

export type HeldLoginOptions = Pick<LoginOptions, 'host' | 'port' | 'username' | 'auth' | 'keepaliveMs' | 'signal' | 'turn'> & {
  monotonicMs: Host['monotonicMs'];
  /** Bounds how many connections are being opened for all nodes together. */
  opening: <T>(work: () => Promise<T>) => Promise<T>;
};

/** This machine's own trouble, which says nothing about a node. */
const OWN_TROUBLE: ReadonlySet<string> = new Set(['EMFILE', 'ENFILE', 'ENOBUFS', 'ENOMEM', 'EACCES', 'EPERM']);

type Attempt = { settled: Promise<void>; greetedMs: number | null };

/**
 * One login to a node that is held open for as long as it lives: connections that come and go are counted against this
 * machine by OpenSSH 9.8 and later, a login that lasts is not. Where there is none, it is tried anew, ever more rarely
 * where it is the sshd that refuses.
 */
export class HeldLogin {
  readonly #options: HeldLoginOptions;
  #login: SshLogin | null = null;
  #attempt: Attempt | null = null;
  #failed: SshLook = { type: 'silent' };
  #notBeforeMs = -Infinity;
  #times = 0;

  constructor(options: HeldLoginOptions) {
    this.#options = options;
    options.signal.addEventListener('abort', () => this.#login?.end(), { once: true });
  }

  /** Looks, and waits for an attempt that is under way for at most `waitMs`. Rejects with a bug only. */
  async look(waitMs: number): Promise<SshLook> {
    const { monotonicMs, opening, signal } = this.#options;
    if (this.#login) return { type: 'in', login: this.#login };
    if (this.#attempt === null) {
      if (monotonicMs() < this.#notBeforeMs) return { type: 'waiting' };
      await opening(() => this.#during(this.#start(), waitMs));
    } else await this.#during(this.#attempt, waitMs);
    signal.throwIfAborted();
    return this.#seen();
  }

  /** Something has happened to the node: it is worth an attempt again. */
  hurry(): void {
    this.#notBeforeMs = -Infinity;
    this.#times = 0;
  }

  async #during(attempt: Attempt, waitMs: number): Promise<void> {
    const patience = new AbortController();
    await Promise.race([attempt.settled, sleep(waitMs, patience.signal).catch(() => {})]).finally(() => patience.abort());
  }

  #seen(): SshLook {
    if (this.#login) return { type: 'in', login: this.#login };
    if (this.#attempt === null) return this.#failed;
    const { greetedMs } = this.#attempt;
    return greetedMs === null ? { type: 'silent' } : { type: 'greeted', ageMs: this.#options.monotonicMs() - greetedMs };
  }

  #start(): Attempt {
    const { monotonicMs } = this.#options;
    const attempt: Attempt = { settled: Promise.resolve(), greetedMs: null };
    this.#attempt = attempt;
    const onGreeting = (): void => void (attempt.greetedMs = monotonicMs());
    attempt.settled = openLogin({ ...this.#options, timeoutMs: Infinity, onGreeting }).then(
      (login) => this.#entered(login),
      (error: unknown) => this.#refused(error, attempt),
    );
    attempt.settled.catch(() => {}); // whoever looks sees it
    return attempt;
  }

  #entered(login: SshLogin): void {
    this.#attempt = null;
    this.#times = 0;
    if (this.#options.signal.aborted) return login.end();
    this.#login = login;
    void login.closed.then(() => (this.#login = null));
  }

  #refused(error: unknown, { greetedMs }: Attempt): void {
    if (this.#options.signal.aborted) return;
    if (!(error instanceof Failure)) throw error; // a defect: the attempt stays, for the next look to meet it
    this.#attempt = null;
    this.#failed = { type: lookOf(error, greetedMs !== null) };
    this.#times = this.#failed.type === 'refused' || this.#failed.type === 'silent' ? 1 : this.#times + 1;
    this.#notBeforeMs = this.#options.monotonicMs() + sshPatienceMs(error.code, this.#times);
  }
}

function lookOf(failure: Failure, greeted: boolean): 'keep' | 'no-login' | 'refused' | 'silent' | 'dropped' {
  if (OWN_TROUBLE.has(systemCode(failure.cause) ?? '')) return 'keep';
  if (sshFail.is(failure, 'ssh-auth-failed', 'ssh-no-algorithm', 'ssh-shut-out')) return 'no-login';
  if (sshFail.is(failure, 'ssh-refused')) return 'refused';
  return greeted ? 'dropped' : 'silent';
}
