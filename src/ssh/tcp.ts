import { connect, type Socket } from 'node:net';
import { reasonOf } from '../util/abort.js';
import { type Failure, messageOf, systemCode } from '../util/errors.js';
import { fail } from './failures.js';

const UNREACHABLE = new Set(['EHOSTUNREACH', 'ENETUNREACH', 'EHOSTDOWN', 'ENETDOWN', 'EADDRNOTAVAIL', 'ENOTFOUND', 'EAI_AGAIN']);

/**
 * A connected socket; the caller destroys it. Rejects with a Failure `ssh-refused`, `ssh-timeout` (the system's own),
 * `ssh-unreachable` or `ssh-closed` naming host:port, or with the signal's reason.
 */
export function connectTcp(host: string, port: number, signal: AbortSignal): Promise<Socket> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(reasonOf(signal));
    const socket = connect({ host, port, noDelay: true });
    const fail = (error: Error): void => {
      signal.removeEventListener('abort', onAbort);
      socket.destroy();
      reject(error);
    };
    const onAbort = (): void => fail(reasonOf(signal));
    const onError = (error: Error): void => fail(socketFailure(host, port, error));
    signal.addEventListener('abort', onAbort, { once: true });
    socket.on('error', onError);
    socket.once('connect', () => {
      signal.removeEventListener('abort', onAbort);
      socket.off('error', onError);
      resolve(socket);
    });
  });
}

/** What a socket's error means for an ssh attempt. */
export function socketFailure(host: string, port: number, error: unknown): Failure {
  const where = `ssh ${host}:${port}`;
  const code = systemCode(error) ?? '';
  const cause = { cause: error };
  if (code === 'ECONNREFUSED')
    return fail('ssh-refused', `${where} refused the connection`, 'the machine answers, but no sshd runs yet', cause);
  if (code === 'ETIMEDOUT') return fail('ssh-timeout', `${where} did not answer (${code})`, undefined, cause);
  if (UNREACHABLE.has(code))
    return fail('ssh-unreachable', `${where} cannot be reached (${code})`, 'is the machine on, and its control network up?', cause);
  return fail('ssh-closed', `${where}: connection lost (${code || messageOf(error)})`, undefined, cause);
}
