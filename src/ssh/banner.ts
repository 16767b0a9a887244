import type { Socket } from 'node:net';
import { untilAborted, withDeadline } from '../util/abort.js';
import { Failure } from '../util/errors.js';
import { connectTcp, socketFailure } from './tcp.js';

/** A server may say other lines before its version (RFC 4253, 4.2); this many bytes without one are not ssh. */
const MAX_PREAMBLE_BYTES = 8_192;
const VERSION_LINE = /^SSH-(?:2\.0|1\.99)-[^\r\n]*\r?\n/m;

export type BannerOptions = { host: string; port: number; timeoutMs: number; signal: AbortSignal };

/**
 * Whether an ssh server answers: connects, reads its version line (`SSH-2.0-OpenSSH_9.2p1`), returns it and hangs up. Ten
 * times cheaper than a login, and says as much about whether sshd runs. Rejects with a Failure `ssh-refused`,
 * `ssh-timeout`, `ssh-unreachable`, `ssh-closed` or `ssh-protocol` naming host:port, or with the signal's reason.
 */
export async function probeBanner(options: BannerOptions): Promise<string> {
  const { host, port, timeoutMs, signal } = options;
  let connected = false;
  const late = (): Failure =>
    new Failure('ssh-timeout', `ssh ${host}:${port} ${connected ? 'is connected but sent no version' : 'did not accept a connection'} within ${timeoutMs / 1000} s`);
  return withDeadline(signal, timeoutMs, late, async (inner) => {
    const socket = await connectTcp(host, port, inner);
    connected = true;
    try {
      return await untilAborted(inner, readVersion(socket, host, port));
    } finally {
      socket.destroy();
    }
  });
}

function readVersion(socket: Socket, host: string, port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1');
      const version = VERSION_LINE.exec(text)?.[0];
      if (version) return resolve(version.trimEnd());
      if (text.length > MAX_PREAMBLE_BYTES) {
        reject(new Failure('ssh-protocol', `ssh ${host}:${port} talks, but not ssh: ${excerpt(text)}`, 'does another service use this port?'));
      }
    });
    socket.on('error', (error) => reject(socketFailure(host, port, error)));
    socket.on('close', () => {
      reject(new Failure('ssh-closed', `ssh ${host}:${port} closed the connection without a version${text === '' ? '' : `, after ${excerpt(text)}`}`));
    });
  });
}

function excerpt(text: string): string {
  return JSON.stringify(text.length <= 80 ? text : `${text.slice(0, 80)}...`);
}
