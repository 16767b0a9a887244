import type { Socket } from 'node:net';
import { untilAborted, withDeadline } from '../util/abort.js';
import type { Failure } from '../util/errors.js';
import { connectTcp, socketFailure } from './tcp.js';
import { fail } from './failures.js';

/** A server may say other lines before its version (RFC 4253, 4.2); this many bytes without one are not ssh. */
const MAX_PREAMBLE_BYTES = 8_192;
const VERSION_LINE = /^SSH-(?:2\.0|1\.99)-[^\r\n]*\r?\n/m;
/** What OpenSSH (9.8 and later) says in place of its version to an address from which too many did not log in. */
const SHUT_OUT = /^Not allowed at this time\r?$/m;
/**
 * A server may take as long as it likes, but one whose machine lost power must be noticed: the first keepalive goes after
 * this time, and libuv gives up ten seconds later. A machine that booted meanwhile answers with a reset.
 */
const KEEPALIVE_MS = 2_000;

export type GreetingOptions = {
  host: string;
  port: number;
  /** For the connection itself; a lost packet is cheaper to send again by a new one. */
  connectTimeoutMs: number;
  /** Told when there is a connection. */
  onConnected: () => void;
  signal: AbortSignal;
};

/** A connected server that has named its version; the socket is paused, and everything it said is still to be read. */
export type Greeted = { socket: Socket; version: string };

/**
 * Connects and waits for the server's version line (`SSH-2.0-OpenSSH_9.2p1`). Nothing is sent before, so that what a server
 * says in its place arrives. A connection that goes no further counts against this address with OpenSSH 9.8 and later:
 * this is the beginning of a login, not a probe. Rejects with a Failure `ssh-refused`, `ssh-timeout`,
 * `ssh-unreachable`, `ssh-closed`, `ssh-protocol` or `ssh-shut-out` naming host:port, or with the signal's reason.
 */
export async function greeting({ host, port, connectTimeoutMs, onConnected, signal }: GreetingOptions): Promise<Greeted> {
  const late = (): Failure => fail('ssh-timeout', `ssh ${host}:${port} did not accept a connection within ${connectTimeoutMs / 1000} s`);
  const socket = await withDeadline(signal, connectTimeoutMs, late, (inner) => connectTcp(host, port, inner));
  socket.on('error', () => {}); // 'close' follows; whoever goes on listens for itself
  socket.setKeepAlive(true, KEEPALIVE_MS);
  try {
    onConnected();
    return { socket, version: await untilAborted(signal, readVersion(socket, host, port)) };
  } catch (error) {
    socket.destroy();
    throw error;
  }
}

function readVersion(socket: Socket, host: string, port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    const settle = (action: () => void): void => {
      for (const [event, listener] of Object.entries(listeners)) socket.off(event, listener);
      socket.pause();
      action();
    };
    const listeners = {
      data: (chunk: Buffer): void => {
        chunks.push(chunk);
        const bytes = Buffer.concat(chunks);
        const text = bytes.toString('latin1');
        const version = VERSION_LINE.exec(text)?.[0];
        if (version) settle(() => (socket.unshift(bytes), resolve(version.trimEnd())));
        else if (bytes.length > MAX_PREAMBLE_BYTES) {
          settle(() =>
            reject(fail('ssh-protocol', `ssh ${host}:${port} talks, but not ssh: ${excerpt(text)}`, 'does another service use this port?')),
          );
        }
      },
      error: (error: Error): void => settle(() => reject(shutOut(chunks, host, port) ?? socketFailure(host, port, error))),
      close: (): void => settle(() => reject(shutOut(chunks, host, port) ?? closedFailure(chunks, host, port))),
    };
    for (const [event, listener] of Object.entries(listeners)) socket.on(event, listener);
  });
}

function shutOut(chunks: readonly Buffer[], host: string, port: number): Failure | null {
  if (!SHUT_OUT.test(Buffer.concat(chunks).toString('latin1'))) return null;
  return fail(
    'ssh-shut-out',
    `ssh ${host}:${port} runs, but shuts this machine out for a while ("Not allowed at this time"): too many connections from here did not log in`,
    "who tries without a key that is let in? it passes by itself; see PerSourcePenalties and PerSourcePenaltyExemptList in the image's sshd_config",
  );
}

function closedFailure(chunks: readonly Buffer[], host: string, port: number): Failure {
  const text = Buffer.concat(chunks).toString('latin1');
  return fail('ssh-closed', `ssh ${host}:${port} closed the connection without a version${text === '' ? '' : `, after ${excerpt(text)}`}`);
}

function excerpt(text: string): string {
  return JSON.stringify(text.length <= 80 ? text : `${text.slice(0, 80)}...`);
}
