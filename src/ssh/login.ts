import { constants } from 'node:os';
import type { Socket } from 'node:net';
import type { AnyAuthMethod, Client, ClientChannel } from 'ssh2';
import { untilAborted, withDeadline } from '../util/abort.js';
import { Failure, messageOf } from '../util/errors.js';
import { keyProblem } from './key-problem.js';
import type { LoginAuth } from './keys.js';
import { connectTcp, socketFailure } from './tcp.js';

export type { LoginAuth, PrivateKey } from './keys.js';

export type LoginOptions = {
  host: string;
  port: number;
  username: string;
  auth: LoginAuth;
  /** For everything: connecting, logging in and the command. */
  timeoutMs: number;
  signal: AbortSignal;
};

const MAX_STDOUT_BYTES = 1 << 20;

type Ssh2 = typeof import('ssh2');
type Phase = 'connecting' | 'negotiating' | 'logging in' | 'running the command';

/**
 * Logs in and runs one command; resolves with its status (128 + n when signal n killed it) and the first MiB of its
 * stdout (stderr is not kept). Tried in order: no authentication, the agent's keys, the key files. Host keys are not
 * checked, by design: nodes are given new systems all day. Rejects with a Failure `ssh-refused`, `ssh-timeout`,
 * `ssh-unreachable`, `ssh-closed`, `ssh-protocol`, `ssh-auth-failed` or `ssh-exec-failed` naming host:port, or with the
 * signal's reason.
 */
export async function sshExec(options: LoginOptions, command: string): Promise<{ status: number; stdout: string }> {
  const { host, port, username, timeoutMs, signal } = options;
  const login = new Login(options);
  const late = (): Failure => new Failure('ssh-timeout', `ssh ${username}@${host}:${port} was still ${login.phase} after ${timeoutMs / 1000} s`);
  const { default: ssh2 } = await import('ssh2'); // before there is a socket, so that none of its events is missed
  return withDeadline(signal, timeoutMs, late, async (inner) => {
    const socket = await connectTcp(host, port, inner);
    try {
      return await untilAborted(inner, login.run(ssh2, socket, command));
    } finally {
      login.end();
      socket.destroy();
    }
  });
}

class Login {
  phase: Phase = 'connecting';
  readonly #options: LoginOptions;
  #client: Client | undefined;
  #unusable: string[] = [];
  #agentProblem: string | null = null;

  constructor(options: LoginOptions) {
    this.#options = options;
  }

  run(ssh2: Ssh2, socket: Socket, command: string): Promise<{ status: number; stdout: string }> {
    this.phase = 'negotiating';
    socket.on('error', () => {}); // ssh2 reports it as its own, but stops listening
    const methods = this.#methods(ssh2.utils.parseKey);
    return new Promise((resolve, reject) => {
      const client = (this.#client = new ssh2.Client());
      // stays until the end, as ssh2 emits 'error' more than once; only the first settles the promise
      client.on('error', (error: Error & { level?: string }) => {
        if (error.level === 'agent') this.#agentProblem = error.message;
        else reject(this.#failure(error));
      });
      client.on('close', () => reject(this.#failure(new Error('closed by the server'))));
      client.on('handshake', () => (this.phase = 'logging in'));
      client.on('ready', () => {
        this.phase = 'running the command';
        client.exec(command, (error, channel) => {
          if (error) reject(this.#failure(error));
          else collect(channel, resolve, () => reject(this.#failure(new Error('closed by the server before an exit status'))));
        });
      });
      try {
        client.connect({ sock: socket, username: this.#options.username, authHandler: methods, readyTimeout: 0 });
      } catch (error) {
        reject(this.#failure(error)); // bad configuration is thrown at once
      }
    });
  }

  end(): void {
    this.#client?.destroy();
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
    if (level === 'client-authentication' || (this.phase === 'logging in' && /authentication fail/i.test(message))) return this.#authFailed(error);
    if (level === 'client-socket') return socketFailure(host, port, error);
    const code = /Connection lost|closed by|reset by/i.test(message) ? 'ssh-closed' : this.phase === 'running the command' ? 'ssh-exec-failed' : 'ssh-protocol';
    return new Failure(code, `ssh ${username}@${host}:${port} failed while ${this.phase}: ${message}`, undefined, { cause: error });
  }

  #authFailed(error: unknown): Failure {
    const { host, port, username, auth } = this.#options;
    const tried = ['no authentication', ...(auth.agentSocket ? [this.#agentProblem ? `the agent (${this.#agentProblem})` : "the agent's keys"] : [])];
    const usable = auth.privateKeys.length - this.#unusable.length;
    if (usable > 0) tried.push(`${usable} key file${usable === 1 ? '' : 's'}`);
    const hint = this.#unusable.length > 0 ? this.#unusable.join('; ') : `does the image accept your key for ${username}? try: ssh -p ${port} ${username}@${host}`;
    return new Failure('ssh-auth-failed', `ssh ${host}:${port} does not let ${username} in; tried ${tried.join(', ')}`, hint, { cause: error });
  }
}

function collect(channel: ClientChannel, done: (result: { status: number; stdout: string }) => void, lost: () => void): void {
  const chunks: Buffer[] = [];
  let length = 0;
  let status: number | null = null;
  channel.on('data', (chunk: Buffer) => {
    if (length >= MAX_STDOUT_BYTES) return;
    chunks.push(chunk.subarray(0, MAX_STDOUT_BYTES - length));
    length += chunk.length;
  });
  channel.on('error', () => {}); // 'close' follows
  channel.stderr.on('error', () => {}).resume();
  channel.on('exit', (code: number | null, signalName?: string) => {
    status = code ?? 128 + signalNumber(signalName);
  });
  channel.on('close', () => {
    if (status === null) lost();
    else done({ status, stdout: Buffer.concat(chunks).toString('utf8') });
  });
  channel.end(); // a command that reads its stdin finds its end
}

/** The number of a signal named as ssh names it (`KILL`) or the system does (`SIGKILL`). */
function signalNumber(name: string | undefined): number {
  const wanted = name?.startsWith('SIG') ? name : `SIG${name}`;
  return Object.entries(constants.signals).find(([known]) => known === wanted)?.[1] ?? 0;
}
