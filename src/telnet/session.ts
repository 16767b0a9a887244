import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import { reasonOf, untilAborted } from '../util/abort.js';
import { type Failure, systemCode } from '../util/errors.js';
import { TelnetDecoder } from './codec.js';
import { CommandRun, type OutputListeners } from './command-run.js';
import { connectTelnet, type ConnectOptions } from './connect.js';
import { loginFailure, noShellFailure, shortCommand, silentFailure } from './failures.js';
import { ClientNegotiator } from './negotiator.js';
import { ShellProbe } from './readiness.js';
import { StatusMarker } from './status-marker.js';
import { fail } from './failures.js';

const KEEPALIVE_MS = 10_000;
/** So long everything may take without a word about it. */
const SLOW_MS = 5_000;
/** What is typed to a shell that has not answered yet is typed again after this time at the latest. */
const LONGEST_PAUSE_MS = 4_000;

/**
 * Longest line a shell surely takes: busybox ash edits lines of at most 1023 bytes and cuts the rest off without a word,
 * which would lose the status. Ours adds some 50 bytes for it.
 */
export const MAX_COMMAND_BYTES = 950;

export type OpenTelnetOptions = ConnectOptions & {
  /** How long the server may stay silent once connected: a telnetd with a full backlog accepts and says nothing. */
  firstByteTimeoutMs: number;
  /** Told once when the first byte, or a shell's first answer, takes longer than some seconds, with what it would be if it ended there. */
  onSlow?: (failure: Failure) => void;
  /** Every byte the remote side shows, telnet commands taken out, in order: for a log of the session. */
  onRaw?: (bytes: Uint8Array) => void;
};

export type RunOptions = OutputListeners & {
  signal: AbortSignal;
  /** Give up when not a single byte comes for so long: a machine that lost power never closes its connections. */
  silenceTimeoutMs?: number;
};

/** A remote shell behind telnet. Always `close()` it; a run that did not end with a status has closed it already. */
export type TelnetSession = {
  /**
   * Runs one line of shell and resolves with its exit status. Before the first one a command that does nothing is typed
   * until it is answered, so that no real one is lost or runs twice. Rejects with a Failure `telnet-closed` (the connection
   * ended first), `telnet-stalled` (silence), `telnet-login` (it asks for a login) or `telnet-no-shell` (it talks, but runs
   * nothing within the time of silence), or with the signal's reason; the connection is closed then,
   * which hangs up the remote command. One run at a time.
   */
  run(command: string, options: RunOptions): Promise<{ status: number }>;
  /** Closes at once; `closed` tells when the socket is gone. */
  close(): void;
  /** Resolves when the connection is gone, whoever closed it. */
  readonly closed: Promise<void>;
};

/**
 * Connects and waits for the server's first byte. Rejects with a Failure `telnet-refused`, `telnet-timeout`,
 * `telnet-unreachable`, `telnet-closed` or `telnet-silent`, each naming host:port, or with the signal's reason.
 */
export async function openTelnet(options: OpenTelnetOptions): Promise<TelnetSession> {
  const { host, port, firstByteTimeoutMs, signal, onSlow } = options;
  let session: SocketSession | undefined;
  let slow: NodeJS.Timeout | undefined;
  try {
    const opened = await connectTelnet(options, (socket) => (session = new SocketSession(socket, options)));
    if (onSlow) slow = setTimeout(() => onSlow(silentFailure(host, port, SLOW_MS)), SLOW_MS);
    await untilAborted(signal, opened.firstByte, firstByteTimeoutMs, () => silentFailure(host, port, firstByteTimeoutMs));
    return opened;
  } catch (error) {
    session?.close();
    throw error;
  } finally {
    clearTimeout(slow);
  }
}

/** Waiting for a shell's first answer. */
type Probing = { probe: ShellProbe; settle: (outcome: Error | null) => void; typedMs: number; timer: NodeJS.Timeout | undefined };
type Active = { run: CommandRun; settle: (outcome: number | Error) => void; onByte: () => void };

class SocketSession implements TelnetSession {
  readonly closed: Promise<void>;
  /** Resolves with the first byte; rejects when the connection ends before. */
  readonly firstByte: Promise<void>;
  readonly #socket: Socket;
  readonly #where: string;
  readonly #onSlow: ((failure: Failure) => void) | undefined;
  readonly #onRaw: ((bytes: Uint8Array) => void) | undefined;
  readonly #decoder = new TelnetDecoder();
  readonly #negotiator = new ClientNegotiator();
  readonly #id = randomBytes(4).toString('hex');
  #runs = 0;
  /** Fed from the first byte until a shell has answered; null afterwards. */
  #probe: ShellProbe | null;
  #probing: Probing | null = null;
  /** The command that is being run. */
  #command: string | null = null;
  #active: Active | null = null;
  #closeCause: string | null = null;

  constructor(socket: Socket, options: OpenTelnetOptions) {
    this.#socket = socket;
    this.#where = `telnet ${options.host}:${options.port}`;
    this.#onRaw = options.onRaw;
    this.#onSlow = options.onSlow;
    this.#probe = new ShellProbe(this.#id);
    socket.setNoDelay(true);
    socket.setKeepAlive(true, KEEPALIVE_MS);
    this.closed = new Promise((resolve) => socket.once('close', () => resolve()));
    this.firstByte = new Promise((resolve, reject) => {
      socket.once('data', () => resolve());
      socket.once('close', () => reject(this.#closedFailure('it said anything')));
    });
    this.firstByte.catch(() => {}); // who waits for it sees it; nobody has to
    socket.on('data', (chunk: Buffer) => this.#onData(chunk));
    socket.on('error', (error) => (this.#closeCause ??= systemCode(error) ?? error.message));
    socket.on('end', () => {
      this.#closeCause ??= 'by the server';
      socket.destroy();
    });
    socket.on('close', () => this.#onClose());
  }

  async run(command: string, options: RunOptions): Promise<{ status: number }> {
    checkCommand(command);
    if (this.#command !== null) {
      throw new Error(`${this.#where}: '${shortCommand(command)}' cannot run while '${shortCommand(this.#command)}' does`);
    }
    if (options.signal.aborted) throw reasonOf(options.signal);
    if (this.#socket.destroyed) throw this.#closedFailure(`'${shortCommand(command)}' could run`);
    this.#command = command;
    try {
      if (this.#probe) await this.#shellReady(this.#probe, command, options);
      return { status: await this.#start(command, options) };
    } catch (error) {
      this.close();
      throw error;
    } finally {
      this.#command = null;
    }
  }

  /** Types a command that does nothing until it is answered. */
  async #shellReady(probe: ShellProbe, command: string, { signal, silenceTimeoutMs = Infinity }: RunOptions): Promise<void> {
    const late = (ms: number): Failure =>
      probe.text === '' ? this.#stalledFailure(command, ms) : noShellFailure(this.#where, probe.text, ms);
    const onSlow = this.#onSlow;
    const slow = onSlow && setTimeout(() => onSlow(late(SLOW_MS)), SLOW_MS);
    const outcome = new Promise<void>((resolve, reject) => {
      this.#probing = { probe, settle: (error) => (error ? reject(error) : resolve()), typedMs: -Infinity, timer: undefined };
    });
    outcome.catch(() => {}); // the signal may come first
    try {
      if (probe.asksForLogin) throw loginFailure(this.#where);
      this.#typeLater();
      await untilAborted(signal, outcome, silenceTimeoutMs, () => late(silenceTimeoutMs));
      this.#probe = null;
    } finally {
      clearTimeout(slow);
      clearTimeout(this.#probing?.timer);
      this.#probing = null;
    }
  }

  #typeLater(): void {
    const probing = this.#probing;
    if (!probing) return;
    clearTimeout(probing.timer);
    const mostMs = Number.isFinite(probing.typedMs) ? Math.max(0, probing.typedMs + LONGEST_PAUSE_MS - performance.now()) : Infinity;
    probing.timer = setTimeout(
      () => {
        if (this.#socket.writable) this.#socket.write(probing.probe.line());
        probing.typedMs = performance.now();
        this.#typeLater();
      },
      Math.min(probing.probe.pauseMs, mostMs),
    );
  }

  /** What came before a shell has answered. */
  #onProbed(probe: ShellProbe, data: Buffer): void {
    const readiness = probe.push(data);
    if (readiness === 'ready') this.#probing?.settle(null);
    else if (readiness === 'login') this.#probing?.settle(loginFailure(this.#where));
    else if (data.length > 0) this.#typeLater();
  }

  close(): void {
    this.#closeCause ??= 'by us';
    this.#socket.destroy();
  }

  async #start(command: string, options: RunOptions): Promise<number> {
    const { signal, silenceTimeoutMs = Infinity } = options;
    const marker = new StatusMarker(`${this.#id}x${(this.#runs += 1)}`);
    let timer: NodeJS.Timeout | undefined;
    const outcome = new Promise<number>((resolve, reject) => {
      this.#active = {
        run: new CommandRun(marker, options),
        settle: (result) => (typeof result === 'number' ? resolve(result) : reject(result)),
        onByte: () => timer?.refresh(),
      };
      if (!Number.isFinite(silenceTimeoutMs)) return;
      timer = setTimeout(() => reject(this.#stalledFailure(command, silenceTimeoutMs)), silenceTimeoutMs);
    });
    this.#socket.write(marker.commandLine(command));
    try {
      return await untilAborted(signal, outcome);
    } finally {
      clearTimeout(timer);
      this.#active = null;
    }
  }

  #onData(chunk: Buffer): void {
    const { data, commands } = this.#decoder.decode(chunk);
    const reply = this.#negotiator.reply(commands);
    if (reply.length > 0 && this.#socket.writable) this.#socket.write(reply);
    const active = this.#active;
    active?.onByte();
    try {
      if (data.length > 0) this.#onRaw?.(data);
      if (this.#probe) this.#onProbed(this.#probe, data);
      if (!active) return;
      const status = active.run.push(data);
      if (status === null) return;
      this.#active = null;
      active.settle(status);
    } catch (error) {
      const bug = error instanceof Error ? error : new Error(String(error)); // a listener threw: its run fails, not the process
      if (this.#probing) this.#probing.settle(bug);
      else if (active) active.settle(bug);
      else this.#socket.destroy(bug);
    }
  }

  #onClose(): void {
    const active = this.#active;
    this.#active = null;
    this.#probing?.settle(this.#closedFailure(`'${shortCommand(this.#command ?? '')}' could run`));
    if (!active) return;
    try {
      active.run.end();
      active.settle(this.#closedFailure(`'${shortCommand(this.#command ?? '')}' reported its exit status`));
    } catch (bug) {
      active.settle(bug instanceof Error ? bug : new Error(String(bug)));
    }
  }

  #closedFailure(before: string): Failure {
    return fail(
      'telnet-closed',
      `${this.#where}: connection closed (${this.#closeCause ?? 'cause unknown'}) before ${before}`,
      'did the machine reboot or lose power?',
    );
  }

  #stalledFailure(command: string, silenceTimeoutMs: number): Failure {
    return fail(
      'telnet-stalled',
      `${this.#where}: not a byte for ${silenceTimeoutMs / 1000} s while '${shortCommand(command)}' ran`,
      'the machine hangs, lost power, or its network is gone',
    );
  }
}

function checkCommand(command: string): void {
  if (/[\0-\x1f\x7f]/.test(command)) throw new Error('a telnet command is one line without control characters');
  const bytes = Buffer.byteLength(command);
  if (bytes > MAX_COMMAND_BYTES) {
    throw fail(
      'telnet-command-too-long',
      `a command of ${bytes} bytes is longer than the ${MAX_COMMAND_BYTES} a remote shell surely takes: '${shortCommand(command)}'`,
    );
  }
}
