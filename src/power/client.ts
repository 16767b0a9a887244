import { sleep, withDeadline } from '../util/abort.js';
import { Failure, systemCode } from '../util/errors.js';
import { parsePowerAnswer, type PowerAnswer, type PowerVerb } from './answer.js';
import {
  busyFailure,
  garbledFailure,
  fail,
  httpFailure,
  maybeDone,
  repeatedly,
  statusFailure,
  timeoutFailure,
  tooLongFailure,
  type CmcAddress,
  type PowerCode,
} from './failures.js';
import { CLOSED, openHttp, type Http } from './http.js';

export type { PowerAnswer, PowerVerb } from './answer.js';
export type { CmcAddress } from './failures.js';

export type PowerClientOptions = {
  port: number;
  /** For one request, from connecting to the last byte. */
  requestTimeoutMs: number;
  /** Mean pause after the first 'busy' or other passing trouble; doubles up to eight times that. */
  busyPauseMs?: number;
  /** Uniform in [0, 1), for the jitter. */
  random?: () => number;
};

export type SendOptions = {
  signal: AbortSignal;
  /** For all attempts together; by default only their number bounds them. */
  timeoutMs?: number;
  /** Asked before each attempt; when it rejects, nothing more is sent. */
  before?: () => Promise<void>;
  /** Called when the card is to be asked again, with why (`is busy`, `answered HTTP 503`), before the pause. */
  onAgain?: (why: string) => void;
};

export type PowerClient = {
  /**
   * Sends one verb to one card and understands its answer. A card that is busy, or in trouble that may pass (HTTP 429, 502,
   * 503, 504, a lost connection), is asked again, eight times in all; not where a reset may have been done. Rejects with a
   * Failure `cmc-refused`, `cmc-timeout`, `cmc-unreachable`, `cmc-closed`, `cmc-busy`, `cmc-garbled` or `cmc-http-<code>`
   * naming the card, or with the signal's reason. Cards do not wait for each other; one card gets one request at a time.
   */
  send(cmc: CmcAddress, verb: PowerVerb, options: SendOptions): Promise<PowerAnswer>;
  /** Drops all connections; requests under way reject. */
  close(): Promise<void>;
};

const MAX_ATTEMPTS = 8;
const MAX_BODY_BYTES = 65_536;

/** One client for all cards: it holds the one connection pool of the process. */
export function createPowerClient(options: PowerClientOptions): PowerClient {
  const http = openHttp(MAX_BODY_BYTES);
  return {
    send: (cmc, verb, sending) => request(http, options, cmc, verb, sending),
    close: http.close,
  };
}

async function request(
  http: Http,
  options: PowerClientOptions,
  cmc: CmcAddress,
  verb: PowerVerb,
  sending: SendOptions,
): Promise<PowerAnswer> {
  const { signal, timeoutMs = Infinity } = sending;
  let again: Again | null = null;
  let times = 0;
  const late = (): Failure => again?.failure(times) ?? timeoutFailure(cmc, options.port, verb, timeoutMs);
  const asking = async (inner: AbortSignal): Promise<PowerAnswer> => {
    for (;;) {
      if (sending.before) await sending.before();
      const answer = await attempt(http, options, cmc, verb, inner).catch((error: unknown) => passing(error, verb, inner));
      if (!('why' in answer)) return answer;
      again = answer;
      times += 1;
      if (times >= MAX_ATTEMPTS) throw again.failure(times);
      sending.onAgain?.(again.why);
      await sleep(pauseMs(options, times), inner);
    }
  };
  return timeoutMs === Infinity ? asking(signal) : withDeadline(signal, timeoutMs, late, asking);
}

/** Why a card is to be asked again, and the failure it is when that does not help. */
type Again = { why: string; failure: (times: number) => Failure };

/** Trouble that passes by itself: a card's web server that restarts or has too much to do. */
const PASSING: ReadonlyMap<string, string> = new Map<PowerCode, string>([
  ['cmc-closed', 'lost the connection'],
  ['cmc-http-429', 'answered HTTP 429'],
  ['cmc-http-502', 'answered HTTP 502'],
  ['cmc-http-503', 'answered HTTP 503'],
  ['cmc-http-504', 'answered HTTP 504'],
]);

/** Tells trouble that is worth another try from the rest, which it throws. Only a reset is not the same when it is done twice. */
function passing(error: unknown, verb: PowerVerb, signal: AbortSignal): Again {
  if (signal.aborted || !(error instanceof Failure) || systemCode(error.cause) === CLOSED) throw error;
  const why = PASSING.get(error.code);
  if (why === undefined || (verb === 'reset' && maybeDone(error))) throw error;
  return { why, failure: (times) => repeatedly(error, times) };
}

function pauseMs(options: PowerClientOptions, times: number): number {
  const { busyPauseMs = 300, random = Math.random } = options;
  return busyPauseMs * 2 ** Math.min(times - 1, 3) * (0.5 + random());
}

function attempt(
  http: Http,
  options: PowerClientOptions,
  cmc: CmcAddress,
  verb: PowerVerb,
  signal: AbortSignal,
): Promise<PowerAnswer | Again> {
  const { port, requestTimeoutMs } = options;
  return withDeadline(
    signal,
    requestTimeoutMs,
    () => timeoutFailure(cmc, port, verb, requestTimeoutMs),
    async (inner) => {
      const { statusCode, text } = await fetchText(http, options.port, cmc, verb, inner);
      const parsed = parsePowerAnswer(verb, text);
      if (parsed.type === 'busy') return { why: 'is busy', failure: (times) => busyFailure(cmc, port, verb, times) };
      if (statusCode !== 200) throw statusFailure(cmc, port, verb, statusCode, text);
      if (parsed.type === 'off')
        throw fail('cmc-off', `${cmc.hostname} (${cmc.ip}) cannot reset a node that is off`, 'switch it on with imaging-on');
      if (parsed.type === 'garbled') throw garbledFailure(cmc, port, verb, text);
      return parsed.answer;
    },
  );
}

async function fetchText(
  http: Http,
  port: number,
  cmc: CmcAddress,
  verb: PowerVerb,
  signal: AbortSignal,
): Promise<{ statusCode: number; text: string }> {
  try {
    const { statusCode, text, isCut } = await http.get({ host: cmc.ip, port, path: `/${verb}` }, signal);
    if (isCut) throw tooLongFailure(cmc, port, verb, MAX_BODY_BYTES);
    return { statusCode, text };
  } catch (error) {
    if (error instanceof Failure || signal.aborted) throw error;
    throw httpFailure(cmc, port, verb, error);
  }
}
