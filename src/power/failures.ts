import { type Failure, isDefect, messageOf, systemCode } from '../util/errors.js';
import { type CodeOf, failures } from '../util/failures.js';
import type { PowerVerb } from './answer.js';

/** What can fail with a CMC card. */
export const fail = failures('CMC cards', {
  'cmc-refused': {
    blame: 'node',
    cure: 'again',
    meaning: 'No web server listens at the address of the card.',
    todo: 'Look whether it is the address of a CMC card, and whether the card is plugged in.',
  },
  'cmc-timeout': {
    blame: 'node',
    cure: 'again',
    meaning: 'The card did not answer in time.',
    todo: 'Unplug it for five minutes: a card that hangs comes back then.',
  },
  'cmc-unreachable': {
    blame: 'node',
    cure: 'again',
    meaning: 'There is no way to the card.',
    todo: 'Look whether it is plugged in, and its network up.',
  },
  'cmc-closed': {
    blame: 'node',
    cure: 'again',
    meaning: 'The card dropped the connection.',
    todo: 'Unplug it for five minutes: a card that hangs comes back then.',
  },
  'cmc-busy': {
    blame: 'node',
    cure: 'again',
    meaning: 'The card said over and over that it is busy.',
    todo: 'Wait a minute; if it stays so, unplug it for five minutes.',
  },
  'cmc-garbled': {
    blame: 'node',
    cure: 'again',
    meaning: 'The card gave an answer that no card gives.',
    todo: 'Look whether it is the address of a CMC card, and unplug it for five minutes.',
  },
  'cmc-off': {
    blame: 'node',
    cure: 'again',
    meaning: 'A node that is off cannot be reset.',
    todo: 'Switch it on with imaging-on.',
  },
  'cmc-http-*': {
    blame: 'node',
    cure: 'again',
    meaning: 'The card answered with that HTTP status.',
    todo: 'See in the message what it says; 429, 502, 503 and 504 pass by themselves.',
  },
});
export type PowerCode = CodeOf<typeof fail>;

/** Whether a request surely never reached the card. */
export function neverSent(error: unknown): boolean {
  return fail.is(error, 'cmc-refused', 'cmc-unreachable');
}

/** Whether the card's answer got lost: what was asked for may have been done, or not. */
export function maybeDone(error: unknown): error is Failure {
  return fail.is(error, 'cmc-closed', 'cmc-http-502', 'cmc-http-504');
}

export type CmcAddress = { hostname: string; ip: string };

const UNREACHABLE = new Set(['EHOSTUNREACH', 'ENETUNREACH', 'EHOSTDOWN', 'ENETDOWN', 'EADDRNOTAVAIL', 'ENOTFOUND', 'EAI_AGAIN']);
const UNPLUG = 'a card that hangs comes back after five minutes unplugged';

/** Says which card was asked what: `reboot05 (192.168.1.5:80): status`. */
function asked(cmc: CmcAddress, port: number, verb: PowerVerb): string {
  return `${cmc.hostname} (${cmc.ip}:${port}): ${verb}`;
}

/** What an error of the HTTP client means for a card. */
export function httpFailure(cmc: CmcAddress, port: number, verb: PowerVerb, error: unknown): Failure {
  if (isDefect(error)) throw error; // of ours, not of the card
  const what = asked(cmc, port, verb);
  const code = systemCode(error) ?? '';
  const cause = { cause: error };
  if (code === 'ECONNREFUSED')
    return fail('cmc-refused', `${what} was refused: no web server on that port`, 'is this the address of a CMC card?', cause);
  if (code === 'ETIMEDOUT') return fail('cmc-timeout', `${what} got no connection (${code})`, UNPLUG, cause);
  if (UNREACHABLE.has(code))
    return fail('cmc-unreachable', `${what} found no way there (${code})`, 'is the card plugged in, and its network up?', cause);
  if (code.startsWith('HPE_')) {
    return fail('cmc-garbled', `${what} was answered with something that is not HTTP (${messageOf(error)})`, UNPLUG, cause);
  }
  return fail('cmc-closed', `${what} lost its connection (${code || messageOf(error)})`, UNPLUG, cause);
}

export function timeoutFailure(cmc: CmcAddress, port: number, verb: PowerVerb, timeoutMs: number): Failure {
  return fail('cmc-timeout', `${asked(cmc, port, verb)} got no answer within ${timeoutMs / 1000} s`, UNPLUG);
}

export function busyFailure(cmc: CmcAddress, port: number, verb: PowerVerb, times: number): Failure {
  return fail(
    'cmc-busy',
    `${asked(cmc, port, verb)} was answered 'CM card busy' ${times} time${times === 1 ? '' : 's'}`,
    'the card is stressed: wait a minute; if it stays so, unplug it for five minutes',
  );
}

export function garbledFailure(cmc: CmcAddress, port: number, verb: PowerVerb, text: string): Failure {
  return fail('cmc-garbled', `${asked(cmc, port, verb)} was answered ${excerpt(text)}, which no card says to that`, UNPLUG);
}

export function statusFailure(cmc: CmcAddress, port: number, verb: PowerVerb, statusCode: number, text: string): Failure {
  return fail(
    `cmc-http-${statusCode}`,
    `${asked(cmc, port, verb)} was answered HTTP ${statusCode}${text.trim() === '' ? '' : ` ${excerpt(text)}`}`,
  );
}

/** A card's answers are some hundred bytes; nothing that is longer is quoted, as its beginning may look like a good answer. */
export function tooLongFailure(cmc: CmcAddress, port: number, verb: PowerVerb, maxBytes: number): Failure {
  return fail(
    'cmc-garbled',
    `${asked(cmc, port, verb)} was answered with more than ${maxBytes / 1024} KiB, which no card says to that`,
    'is this the address of a CMC card?',
  );
}

/** A failure that came so many times in a row. */
export function repeatedly(failure: Failure, times: number): Failure {
  return times === 1 ? failure : failure.with({ message: `${failure.message}, ${times} times` });
}

function excerpt(text: string): string {
  const trimmed = text.trim();
  return trimmed === '' ? 'nothing' : JSON.stringify(trimmed.length <= 120 ? trimmed : `${trimmed.slice(0, 120)}...`);
}
