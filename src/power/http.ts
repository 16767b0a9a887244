import type { Agent, Dispatcher } from 'undici';

/** What a card's web server answered; `isCut`: the text goes on. */
export type HttpAnswer = { statusCode: number; text: string; isCut: boolean };

/** The one pool of connections to the cards. */
export type Http = {
  /** Rejects with undici's error, the system's or, when the signal aborts, its reason. */
  get(origin: string, path: string, signal: AbortSignal): Promise<HttpAnswer>;
  /** Drops all connections; requests under way reject with an error of a code in `CLOSED`. */
  close(): Promise<void>;
};

/** We have dropped the connections ourselves. */
export const CLOSED: ReadonlySet<string> = new Set(['UND_ERR_DESTROYED', 'UND_ERR_CLOSED']);

/** No card gets two requests at a time, and no connection is kept: such cards serve few. `maxBytes`: so much of an answer is read. */
export function openHttp(requestTimeoutMs: number, maxBytes: number): Http {
  let loading: Promise<Agent> | null = null;
  // by the first request: undici is too heavy for commands that send none
  const load = async (): Promise<Agent> => {
    const { Agent } = await import('../util/http.js');
    // deadlines are abort signals: undici's own timers tick in seconds. Only a connection attempt needs one, as it goes on
    // when its request is gone
    return new Agent({ connections: 1, pipelining: 1, headersTimeout: 0, bodyTimeout: 0, connect: { timeout: requestTimeoutMs } });
  };
  return {
    get: async (origin, path, signal) => {
      const agent = await (loading ??= load());
      signal.throwIfAborted();
      return new Promise((resolve, reject) => {
        agent.dispatch({ origin, path, method: 'GET', reset: true }, new Answering(signal, maxBytes, resolve, reject));
      });
    },
    close: async () => {
      const agent = await loading;
      await agent?.destroy();
    },
  };
}

/** One request's answer. Half the processor time of a response with a stream for its body. */
class Answering implements Dispatcher.DispatchHandler {
  readonly #signal: AbortSignal;
  readonly #maxBytes: number;
  readonly #resolve: (answer: HttpAnswer) => void;
  readonly #reject: (error: unknown) => void;
  readonly #chunks: Buffer[] = [];
  #sizeBytes = 0;
  #statusCode = 0;
  #controller: Dispatcher.DispatchController | null = null;
  readonly #onAbort = (): void => this.#end(() => this.#reject(this.#signal.reason));

  constructor(signal: AbortSignal, maxBytes: number, resolve: (answer: HttpAnswer) => void, reject: (error: unknown) => void) {
    this.#signal = signal;
    this.#maxBytes = maxBytes;
    this.#resolve = resolve;
    this.#reject = reject;
    signal.addEventListener('abort', this.#onAbort, { once: true });
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#signal.aborted) this.#drop();
  }

  onResponseStart(_controller: Dispatcher.DispatchController, statusCode: number): void {
    this.#statusCode = statusCode;
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#sizeBytes += chunk.length;
    if (this.#sizeBytes > this.#maxBytes) this.#end(() => this.#answer(true));
  }

  onResponseEnd(): void {
    this.#signal.removeEventListener('abort', this.#onAbort);
    this.#answer(false);
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.#signal.removeEventListener('abort', this.#onAbort);
    this.#reject(error); // whoever was answered before hears nothing of it
  }

  #answer(isCut: boolean): void {
    this.#resolve({ statusCode: this.#statusCode, text: Buffer.concat(this.#chunks).toString('utf8'), isCut });
  }

  /** Enough was heard: settles, and gives the connection up. */
  #end(settle: () => void): void {
    this.#signal.removeEventListener('abort', this.#onAbort);
    settle();
    this.#drop();
  }

  #drop(): void {
    this.#controller?.abort(new Error('not needed any more'));
  }
}
