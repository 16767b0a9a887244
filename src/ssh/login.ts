import type { Socket } from 'node:net';
import type { AnyAuthMethod, Client } from 'ssh2';
import { sleep, untilAborted, withDeadline } from '../util/abort.js';
import { type Failure, messageOf } from '../util/errors.js';
import { legacyLast, mismatchText } from './algorithms.js';
import { execOn, type ExecResult } from './exec.js';
import { greeting } from './greeting.js';
import { keyProblem } from './key-problem.js';
import type { LoginAuth } from './keys.js';
import { OfferReader } from './offer.js';
import { socketFailure } from './tcp.js';
import { fail } from './failures.js';

export type { LoginAuth, PrivateKey } from './keys.js';

export type LoginOptions = {
  host: string;
  port: number;
  username: string;
  auth: LoginAuth;
  /** For everything together: connecting, logging in and, with `sshExec`, the command; Infinity: as long as it takes. */
  timeoutMs: number;
  signal: AbortSignal;
  /** Told when the server has named its version: an sshd runs, whether or not it lets us in. */
  onGreeting?: (version: string) => void;
  /** Told once when the login takes longer than some seconds, with what it would be if it ended there; it goes on. */
  onSlow?: (failure: Failure) => void;
  /** Spreads what costs CPU on this side, the key exchange: runs the work when it is its turn. */
  turn?: <T>(work: () => Promise<T>) => Promise<T>;
  /** The server is asked for a sign of life so often; a login that gets none three times is closed. Default: not at all. */
  keepaliveMs?: number;
};

/** A login that is held open. `end()` it; `closed` resolves when it has ended, whoever ended it. */
export type SshLogin = {
  /** Runs one command; rejects as `sshExec` does. Several may run at a time. */
  exec(command: string): Promise<ExecResult>;
  readonly closed: Promise<void>;
  end(): void;
};

/** So long a connection may take to be accepted before another is tried; and so long everything may take without a word about it. */
const CONNECT_MS = 5_000;
const SLOW_MS = 5_000;
/** A turn ends with the key exchange; a server that never ends it must not hold up the others. */
const TURN_MS = 5_000;

type Ssh2 = typeof import('ssh2');
type Phase = 'connecting' | 'waiting for its version' | 'negotiating' | 'logging in' | 'running the command';

/**
 * Logs in and runs one command; resolves with its status (128 + n when signal n killed it) and the first MiB of its
 * stdout (stderr is not kept). Tried in order: no authentication, the agent's keys, the key files. Host keys are not
 * checked, by design: nodes are given new systems all day. Rejects with a Failure `ssh-refused`, `ssh-timeout`,
 * `ssh-unreachable`, `ssh-closed`, `ssh-protocol`, `ssh-no-algorithm`, `ssh-shut-out`, `ssh-auth-failed` or
 * `ssh-exec-failed` naming host:port, or with the signal's reason.
 */
export async function sshExec(options: LoginOptions, command: string): Promise<ExecResult> {
  return attempt(options, async (login) => {
    try {
      return await login.exec(command);
    } finally {
      login.end();
    }
  });
}

/** Logs in and stays. The options' signal and time are for the login; afterwards it is up to the caller. Rejects as `sshExec` does. */
export async function openLogin(options: LoginOptions): Promise<SshLogin> {
  return attempt(options, async (login) => login);
}

/** Logs in and does `work`, all within the options' time; whatever fails closes the connection. */
async function attempt<T>(options: LoginOptions, work: (login: SshLogin) => Promise<T>): Promise<T> {
  const { timeoutMs, signal, onSlow } = options;
  const login = new Login(options);
  const { default: ssh2 } = await import('ssh2'); // before there is a socket, so that none of its events is missed
  const slow = onSlow && setTimeout(() => onSlow(login.late(SLOW_MS)), SLOW_MS);
  try {
    return await withDeadline(
      signal,
      timeoutMs,
      () => login.late(timeoutMs),
      async (inner) => {
        await login.open(ssh2, inner);
        return untilAborted(inner, work(login));
      },
    );
  } catch (error) {
    login.end();
    throw error;
  } finally {
    clearTimeout(slow);
  }
}

class Login implements SshLogin {
  readonly closed: Promise<void>;
  readonly #options: LoginOptions;
  readonly #reader = new OfferReader();
  #phase: Phase = 'connecting';
  #client: Client | undefined;
  #socket: Socket | undefined;
  #unusable: string[] = [];
  #agentProblem: string | null = null;
  /** Why the connection has ended. */
  #lost: Error | null = null;
  #onClosed: () => void = () => {};

  constructor(options: LoginOptions) {
    this.#options = options;
    this.closed = new Promise((resolve) => (this.#onClosed = resolve));
  }

  async open(ssh2: Ssh2, signal: AbortSignal): Promise<void> {
    const { host, port, timeoutMs, onGreeting, turn = (work) => work() } = this.#options;
    const onConnected = (): void => void (this.#phase = 'waiting for its version');
    const { socket, version } = await greeting({ host, port, connectTimeoutMs: Math.min(CONNECT_MS, timeoutMs), onConnected, signal });
    this.#socket = socket;
    onGreeting?.(version);
    this.#phase = 'negotiating';
    let entered: Promise<void> = Promise.resolve();
    await turn(async () => {
      if (signal.aborted) return; // its socket is closed already, or about to be
      entered = this.#start(ssh2, socket);
      entered.catch(() => {}); // awaited below
      await Promise.race([this.#handshaken, entered.catch(() => {}), sleep(TURN_MS, signal).catch(() => {})]);
    });
    await untilAborted(signal, entered);
  }

  #onHandshake: () => void = () => {};
  readonly #handshaken = new Promise<void>((resolve) => (this.#onHandshake = resolve));

  /** Resolves when we are in. */
  #start(ssh2: Ssh2, socket: Socket): Promise<void> {
    const methods = this.#methods(ssh2.utils.parseKey);
    const { username, keepaliveMs = 0 } = this.#options;
    return new Promise((resolve, reject) => {
      if (socket.destroyed) return reject(this.#failure(new Error('closed by the server')));
      const client = (this.#client = new ssh2.Client());
      // stays until the end, as ssh2 emits 'error' more than once; only the first settles the promise
      client.on('error', (error: Error & { level?: string }) => {
        if (error.level === 'agent') this.#agentProblem = error.message;
        else reject(this.#failure((this.#lost ??= error)));
      });
      client.on('end', () => void (this.#lost ??= new Error('closed by the server')));
      client.on('close', () => {
        this.#onClosed();
        reject(this.#failure((this.#lost ??= new Error('closed by the server'))));
      });
      client.on('handshake', () => {
        this.#phase = 'logging in';
        this.#onHandshake();
      });
      client.on('ready', () => {
        this.#phase = 'running the command';
        resolve();
      });
      try {
        client.connect({
          sock: socket,
          username,
          authHandler: methods,
          readyTimeout: 0,
          algorithms: legacyLast(),
          keepaliveInterval: keepaliveMs,
          keepaliveCountMax: 2,
        });
        if (this.#phase === 'negotiating') socket.on('data', (chunk: Buffer) => this.#phase === 'negotiating' && this.#reader.push(chunk));
      } catch (error) {
        reject(this.#failure(error)); // bad configuration is thrown at once
      }
    });
  }

  async exec(command: string): Promise<ExecResult> {
    try {
      if (!this.#client) throw new Error('not logged in');
      return await execOn(this.#client, command, 'closed by the server before an exit status');
    } catch (error) {
      throw this.#failure(this.#lost ?? error);
    }
  }

  end(): void {
    this.#client?.destroy();
    this.#socket?.destroy();
    this.#onClosed();
  }

  late(afterMs: number): Failure {
    const { host, port, username } = this.#options;
    return fail('ssh-timeout', `ssh ${username}@${host}:${port} was still ${this.#phase} after ${afterMs / 1000} s`);
  }

  #methods(parseKey: Ssh2['utils']['parseKey']): AnyAuthMethod[] {
    const { username, auth } = this.#options;
    const methods: AnyAuthMethod[] = [{ type: 'none', username }];
    if (auth.agentSocket) methods.push({ type: 'agent', username, agent: auth.agentSocket });
    for (const key of auth.privateKeys) {
      const problem = keyProblem(key, parseKey);
      if (problem) this.#unusable.push(problem);
      else methods.push({ type: 'publickey', username, key: key.contents });
    }
    return methods;
  }

  #failure(error: unknown): Failure {
    const { host, port, username } = this.#options;
    const level = error instanceof Error && 'level' in error ? error.level : undefined;
    const message = messageOf(error);
    const mismatch = mismatchText(message, this.#reader.offer);
    if (mismatch !== null)
      return fail(
        'ssh-no-algorithm',
        `ssh ${host}:${port}: ${mismatch}`,
        'its sshd_config (KexAlgorithms, Ciphers, MACs, HostKeyAlgorithms) must allow one that is more common',
        { cause: error },
      );
    if (/too many authentication failures/i.test(message)) return this.#tooManyKeys(error);
    if (level === 'client-authentication' || (this.#phase === 'logging in' && /authentication fail/i.test(message)))
      return this.#authFailed(error);
    if (level === 'client-socket') return socketFailure(host, port, error);
    const code = /Connection lost|closed by|reset by|No response from server|Not connected/i.test(message)
      ? 'ssh-closed'
      : this.#phase === 'running the command'
        ? 'ssh-exec-failed'
        : 'ssh-protocol';
    return fail(code, `ssh ${username}@${host}:${port} failed while ${this.#phase}: ${message}`, undefined, { cause: error });
  }

  #authFailed(error: unknown): Failure {
    const { host, port, username } = this.#options;
    const hint =
      this.#unusable.length > 0
        ? this.#unusable.join('; ')
        : `does the image accept your key for ${username}? try: ssh -p ${port} ${username}@${host}`;
    return fail('ssh-auth-failed', `ssh ${host}:${port} does not let ${username} in; tried ${this.#tried()}`, hint, {
      cause: error,
    });
  }

  /** The server counts keys that it does not know as failures, and hangs up before the good one comes. */
  #tooManyKeys(error: unknown): Failure {
    const { host, port, username, auth } = this.#options;
    const whose = auth.agentSocket
      ? 'the agent has more keys than the server lets anybody try: take out those that are not needed (ssh-add -l, ssh-add -d), or raise MaxAuthTries in the image'
      : 'raise MaxAuthTries in the image';
    return fail(
      'ssh-auth-failed',
      `ssh ${host}:${port} hung up on ${username}: too many keys were tried before one that it accepts; to be tried were ${this.#tried()}`,
      whose,
      { cause: error },
    );
  }

  #tried(): string {
    const { auth } = this.#options;
    const tried = [
      'no authentication',
      ...(auth.agentSocket ? [this.#agentProblem ? `the agent (${this.#agentProblem})` : "the agent's keys"] : []),
    ];
    const usable = auth.privateKeys.length - this.#unusable.length;
    if (usable > 0) tried.push(`${usable} key file${usable === 1 ? '' : 's'}`);
    return tried.join(', ');
  }
}
