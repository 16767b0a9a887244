import { Failure, isDefect, messageOf, systemCode } from '../util/errors.js';
import type { PowerVerb } from './answer.js';

export type CmcAddress = { hostname: string; ip: string };

const UNREACHABLE = new Set(['EHOSTUNREACH', 'ENETUNREACH', 'EHOSTDOWN', 'ENETDOWN', 'EADDRNOTAVAIL', 'ENOTFOUND', 'EAI_AGAIN']);
const UNPLUG = 'a card that hangs comes back after five minutes unplugged';

/** Says which card was asked what: `reboot05 (192.168.1.5:80): status`. */
export function asked(cmc: CmcAddress, port: number, verb: PowerVerb): string {
  return `${cmc.hostname} (${cmc.ip}:${port}): ${verb}`;
}

/** What an error of the HTTP client means for a card. */
export function httpFailure(cmc: CmcAddress, port: number, verb: PowerVerb, error: unknown): Failure {
  if (isDefect(error)) throw error; // of ours, not of the card
  const what = asked(cmc, port, verb);
  const code = systemCode(error) ?? '';
  const cause = { cause: error };
  if (code === 'ECONNREFUSED')
    return new Failure('cmc-refused', `${what} was refused: no web server on that port`, 'is this the address of a CMC card?', cause);
  if (code === 'ETIMEDOUT' || code === 'UND_ERR_CONNECT_TIMEOUT')
    return new Failure('cmc-timeout', `${what} got no connection (${code})`, UNPLUG, cause);
  if (UNREACHABLE.has(code))
    return new Failure('cmc-unreachable', `${what} found no way there (${code})`, 'is the card plugged in, and its network up?', cause);
  if (code.startsWith('HPE_') || (error instanceof Error && error.name === 'HTTPParserError')) {
    return new Failure('cmc-garbled', `${what} was answered with something that is not HTTP (${messageOf(error)})`, UNPLUG, cause);
  }
  return new Failure('cmc-closed', `${what} lost its connection (${code || messageOf(error)})`, UNPLUG, cause);
}

export function timeoutFailure(cmc: CmcAddress, port: number, verb: PowerVerb, timeoutMs: number): Failure {
  return new Failure('cmc-timeout', `${asked(cmc, port, verb)} got no answer within ${timeoutMs / 1000} s`, UNPLUG);
}

export function busyFailure(cmc: CmcAddress, port: number, verb: PowerVerb, times: number): Failure {
  return new Failure(
    'cmc-busy',
    `${asked(cmc, port, verb)} was answered 'CM card busy' ${times} time${times === 1 ? '' : 's'}`,
    'the card is stressed: wait a minute; if it stays so, unplug it for five minutes',
  );
}

export function garbledFailure(cmc: CmcAddress, port: number, verb: PowerVerb, text: string): Failure {
  return new Failure('cmc-garbled', `${asked(cmc, port, verb)} was answered ${excerpt(text)}, which no card says to that`, UNPLUG);
}

export function statusFailure(cmc: CmcAddress, port: number, verb: PowerVerb, statusCode: number, text: string): Failure {
  return new Failure(
    `cmc-http-${statusCode}`,
    `${asked(cmc, port, verb)} was answered HTTP ${statusCode}${text.trim() === '' ? '' : ` ${excerpt(text)}`}`,
  );
}

/** A card's answers are some hundred bytes; nothing that is longer is quoted, as its beginning may look like a good answer. */
export function tooLongFailure(cmc: CmcAddress, port: number, verb: PowerVerb, maxBytes: number): Failure {
  return new Failure(
    'cmc-garbled',
    `${asked(cmc, port, verb)} was answered with more than ${maxBytes / 1024} KiB, which no card says to that`,
    'is this the address of a CMC card?',
  );
}

/** A failure that came so many times in a row. */
export function repeatedly(failure: Failure, times: number): Failure {
  return times === 1 ? failure : new Failure(failure.code, `${failure.message}, ${times} times`, failure.hint, { cause: failure });
}

function excerpt(text: string): string {
  const trimmed = text.trim();
  return trimmed === '' ? 'nothing' : JSON.stringify(trimmed.length <= 120 ? trimmed : `${trimmed.slice(0, 120)}...`);
}
