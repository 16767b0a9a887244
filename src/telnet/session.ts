import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import { reasonOf, untilAborted, withDeadline } from '../util/abort.js';
import { Failure, systemCode } from '../util/errors.js';
import { TelnetDecoder } from './codec.js';
import { CommandRun, type OutputListeners } from './command-run.js';
import { connectTelnet, type ConnectOptions } from './connect.js';
import { shortCommand, silentFailure } from './failures.js';
import { ClientNegotiator } from './negotiator.js';
import { StatusMarker } from './status-marker.js';

const KEEPALIVE_MS = 10_000;

/**
 * Longest line a shell surely takes: busybox ash edits lines of at most 1023 bytes and cuts the rest off without a word,
 * which would lose the status. Ours adds some 50 bytes for it.
 */
export const MAX_COMMAND_BYTES = 950;

export type OpenTelnetOptions = ConnectOptions & {
  /** How long the server may stay silent once connected: a telnetd with a full backlog accepts and says nothing. */
  firstByteTimeoutMs: number;
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
   * Runs one line of shell and resolves with its exit status. Rejects with a Failure `telnet-closed` (the connection
   * ended first) or `telnet-stalled` (silence), or with the signal's reason; in all three cases the connection is closed,
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
  const { host, port, firstByteTimeoutMs, signal } = options;
  let session: SocketSession | undefined;
  try {
    const opened = await connectTelnet(options, (socket) => (session = new SocketSession(socket, options)));
    await withDeadline(signal, firstByteTimeoutMs, () => silentFailure(host, port, firstByteTimeoutMs), () => opened.firstByte);
    return opened;
  } catch (error) {
    session?.close();
    throw error;
  }
}

type Active = { run: CommandRun; command: string; settle: (outcome: number | Error) => void; onByte: () => void };

class SocketSession implements TelnetSession {
  readonly closed: Promise<void>;
  /** Resolves with the first byte; rejects when the connection ends before. */
  readonly firstByte: Promise<void>;
  readonly #socket: Socket;
  readonly #where: string;
  readonly #onRaw: ((bytes: Uint8Array) => void) | undefined;
  readonly #decoder = new TelnetDecoder();
  readonly #negotiator = new ClientNegotiator();
  readonly #id = randomBytes(4).toString('hex');
  #runs = 0;
  #active: Active | null = null;
  #closeCause: string | null = null;

  constructor(socket: Socket, options: OpenTelnetOptions) {
    this.#socket = socket;
    this.#where = `telnet ${options.host}:${options.port}`;
    this.#onRaw = options.onRaw;
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
    if (this.#active) {
      throw new Error(`${this.#where}: '${shortCommand(command)}' cannot run while '${shortCommand(this.#active.command)}' does`);
    }
    if (options.signal.aborted) throw reasonOf(options.signal);
    if (this.#socket.destroyed) throw this.#closedFailure(`'${shortCommand(command)}' could run`);
    try {
      return { status: await this.#start(command, options) };
    } catch (error) {
      this.close();
      throw error;
    }
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
        command,
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
      if (!active) return;
      const status = active.run.push(data);
      if (status === null) return;
      this.#active = null;
      active.settle(status);
    } catch (error) {
      const bug = error instanceof Error ? error : new Error(String(error)); // a listener threw: its run fails, not the process
      if (active) active.settle(bug);
      else this.#socket.destroy(bug);
    }
  }

  #onClose(): void {
    const active = this.#active;
    this.#active = null;
    if (!active) return;
    try {
      active.run.end();
      active.settle(this.#closedFailure(`'${shortCommand(active.command)}' reported its exit status`));
    } catch (bug) {
      active.settle(bug instanceof Error ? bug : new Error(String(bug)));
    }
  }

  #closedFailure(before: string): Failure {
    return new Failure('telnet-closed', `${this.#where}: connection closed (${this.#closeCause ?? 'cause unknown'}) before ${before}`, 'did the machine reboot or lose power?');
  }

  #stalledFailure(command: string, silenceTimeoutMs: number): Failure {
    return new Failure('telnet-stalled', `${this.#where}: not a byte for ${silenceTimeoutMs / 1000} s while '${shortCommand(command)}' ran`, 'the machine hangs, lost power, or its network is gone');
  }
}

function checkCommand(command: string): void {
  if (/[\0-\x1f\x7f]/.test(command)) throw new Error('a telnet command is one line without control characters');
  const bytes = Buffer.byteLength(command);
  if (bytes > MAX_COMMAND_BYTES) {
    throw new Failure('telnet-command-too-long', `a command of ${bytes} bytes is longer than the ${MAX_COMMAND_BYTES} a remote shell surely takes: '${shortCommand(command)}'`);
  }
}

