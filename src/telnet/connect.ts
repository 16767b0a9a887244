import type { Socket } from 'node:net';
import { Telnet } from 'telnet-client';
import { reasonOf, withDeadline } from '../util/abort.js';
import { telnetFailure, timeoutFailure } from './failures.js';

export type ConnectOptions = { host: string; port: number; connectTimeoutMs: number; signal: AbortSignal };

/**
 * Opens the connection with telnet-client and takes its socket over before the first byte is read: `take` runs at once
 * and must attach its listeners synchronously. telnet-client's own reading is removed, because it handles telnet commands
 * only at the start of a chunk, keeps all output in memory, and leaves its callers waiting when the server dies.
 */
export async function connectTelnet<T>(options: ConnectOptions, take: (socket: Socket) => T): Promise<T> {
  const { host, port, connectTimeoutMs, signal } = options;
  return withDeadline(
    signal,
    connectTimeoutMs,
    () => timeoutFailure(host, port, connectTimeoutMs),
    async (inner) => {
      if (inner.aborted) throw reasonOf(inner);
      const telnet = new Telnet();
      telnet.on('error', () => {}); // connect() rejects with the same error
      const onAbort = (): void => void telnet.getSocket()?.destroy();
      inner.addEventListener('abort', onAbort, { once: true });
      try {
        await telnet.connect({ host, port, timeout: 0, negotiationMandatory: false, encoding: 'latin1' });
      } catch (error) {
        telnet.getSocket()?.destroy();
        throw telnetFailure(host, port, error);
      } finally {
        inner.removeEventListener('abort', onAbort);
      }
      const socket = telnet.getSocket();
      if (!socket || inner.aborted) {
        socket?.destroy();
        throw telnetFailure(host, port, new Error('no socket'));
      }
      socket.setTimeout(0);
      for (const event of ['data', 'timeout', 'error', 'end', 'close']) socket.removeAllListeners(event);
      return take(socket);
    },
  );
}
