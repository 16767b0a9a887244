import type { Agent, ClientRequest, IncomingMessage } from 'node:http';
import { limitedText } from '../util/limited-text.js';

/** What a card's web server answered; `isCut`: the text goes on. */
export type HttpAnswer = { statusCode: number; text: string; isCut: boolean };

/** The one pool of connections to the cards. */
export type Http = {
  /** Rejects with the system's or the parser's error, with one of the code `CLOSED` when the pool is closed meanwhile, and when the signal aborts. */
  get(where: { host: string; port: number; path: string }, signal: AbortSignal): Promise<HttpAnswer>;
  /** Drops all connections; requests under way reject. */
  close(): Promise<void>;
};

export const CLOSED = 'ERR_HTTP_POOL_CLOSED';

/** No card gets two requests at a time, and no connection is kept: such cards serve few. `maxBytes`: so much of an answer is read. */
export function openHttp(maxBytes: number): Http {
  let loading: Promise<{ get: typeof import('node:http').get; agent: Agent }> | null = null;
  let isClosed = false;
  const pending = new Set<ClientRequest>();
  const send = async (where: Parameters<Http['get']>[0], signal: AbortSignal): Promise<HttpAnswer> => {
    const { get, agent } = await (loading ??= load());
    if (isClosed) throw new Error('closed before it was sent');
    signal.throwIfAborted();
    const request = get({ ...where, agent });
    const drop = (): void => void request.destroy();
    pending.add(request);
    signal.addEventListener('abort', drop, { once: true }); // the signal option would make errors of requests that are done
    try {
      const response = await new Promise<IncomingMessage>((resolve, reject) => request.on('response', resolve).on('error', reject));
      return { statusCode: response.statusCode ?? 0, ...(await limitedText(response, maxBytes)) };
    } finally {
      signal.removeEventListener('abort', drop);
      pending.delete(request);
    }
  };
  return {
    get: async (where, signal) => {
      try {
        return await send(where, signal);
      } catch (cause) {
        throw isClosed ? Object.assign(new Error('we have dropped the connections', { cause }), { code: CLOSED }) : cause;
      }
    },
    close: async () => {
      isClosed = true;
      for (const request of pending) request.destroy();
      (await loading)?.agent.destroy();
    },
  };
}

/** By the first request: most commands send none. */
async function load(): Promise<{ get: typeof import('node:http').get; agent: Agent }> {
  const { Agent, get } = await import('node:http');
  return { get, agent: new Agent({ keepAlive: false, maxSockets: 1 }) };
}
