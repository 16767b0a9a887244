import { type Failure, messageOf, systemCode } from '../util/errors.js';
import { printable } from '../util/text.js';
import { failures } from '../util/failures.js';

/** What can fail with the shell of the small system. */
export const fail = failures('The shell of the small system', {
  'telnet-refused': {
    blame: 'node',
    cure: 'again',
    meaning: 'The node answers, but no telnetd runs on it.',
    todo: 'Look whether it booted something else than the small system.',
  },
  'telnet-timeout': {
    blame: 'node',
    cure: 'again',
    meaning: 'The node did not accept a connection in time.',
    todo: 'Look whether it is on, and whether the small system boots.',
  },
  'telnet-unreachable': {
    blame: 'node',
    cure: 'again',
    meaning: 'The node cannot be reached.',
    todo: 'Look whether it is on, and its control network up.',
  },
  'telnet-silent': {
    blame: 'node',
    cure: 'again',
    meaning: 'The telnetd accepted the connection and says nothing.',
    todo: 'Wait: the small system may still be booting, or its telnetd serves too many others.',
  },
  'telnet-login': {
    blame: 'node',
    cure: 'again',
    meaning: 'A login is asked for, where the small system has a shell at once.',
    todo: 'Look whether the node booted its disk; else its telnetd must run a shell (telnetd -l /bin/sh).',
  },
  'telnet-no-shell': {
    blame: 'node',
    cure: 'again',
    meaning: 'Something answers, but runs no command.',
    todo: 'Look whether it is the small system, and its shell up.',
  },
  'telnet-closed': {
    blame: 'node',
    cure: 'again',
    meaning: 'The connection was closed.',
    todo: 'Look whether the node rebooted or lost power.',
  },
  'telnet-stalled': {
    blame: 'node',
    cure: 'again',
    meaning: 'A command says nothing any more.',
    todo: 'Look whether the node hangs, lost power, or its network is gone.',
  },
  'telnet-command-too-long': {
    blame: 'site',
    cure: 'person',
    meaning: 'A command is longer than a remote shell surely takes.',
    todo: 'Use shorter paths and options in the configuration, or a shorter comment.',
  },
});

const UNREACHABLE = new Set(['EHOSTUNREACH', 'ENETUNREACH', 'EHOSTDOWN', 'ENETDOWN', 'EADDRNOTAVAIL', 'ENOTFOUND', 'EAI_AGAIN']);

/** What went wrong while connecting to a telnet server, by the system's error code. */
export function telnetFailure(host: string, port: number, error: unknown): Failure {
  const where = `telnet ${host}:${port}`;
  const code = systemCode(error) ?? '';
  const cause = { cause: error };
  if (code === 'ECONNREFUSED') {
    return fail(
      'telnet-refused',
      `${where} refused the connection`,
      'the machine answers, but no telnetd runs: did it boot something else than the ramdisk?',
      cause,
    );
  }
  if (code === 'ETIMEDOUT') return fail('telnet-timeout', `${where} did not answer (${code})`, undefined, cause);
  if (UNREACHABLE.has(code))
    return fail('telnet-unreachable', `${where} cannot be reached (${code})`, 'is the machine on, and its control network up?', cause);
  return fail('telnet-closed', `${where} closed the connection while it was being opened (${code || messageOf(error)})`, undefined, cause);
}

export function timeoutFailure(host: string, port: number, timeoutMs: number): Failure {
  return fail(
    'telnet-timeout',
    `telnet ${host}:${port} did not accept a connection within ${timeoutMs / 1000} s`,
    'is the machine on, and has it booted the ramdisk?',
  );
}

export function silentFailure(host: string, port: number, timeoutMs: number): Failure {
  return fail(
    'telnet-silent',
    `telnet ${host}:${port} is connected but said nothing for ${timeoutMs / 1000} s`,
    'the ramdisk may still be booting, or its telnetd serves too many others',
  );
}

/** `where`: `telnet host:port`. */
export function loginFailure(where: string): Failure {
  return fail(
    'telnet-login',
    `${where} asks for a login, where the PXE system has a shell at once`,
    'did it boot its disk instead of the PXE system? else its telnetd must run a shell (telnetd -l /bin/sh)',
  );
}

/** `text`: what it said; its end is shown. */
export function noShellFailure(where: string, text: string, timeoutMs: number): Failure {
  const shown = JSON.stringify(printable(text.replace(/\s+/g, ' ')).slice(-80));
  return fail(
    'telnet-no-shell',
    `${where} answers, but ran no command within ${timeoutMs / 1000} s; it says ${shown}`,
    'is this the PXE system, and its shell up?',
  );
}

/** A command line short enough for a message. */
export function shortCommand(command: string): string {
  return command.length <= 60 ? command : `${command.slice(0, 57)}...`;
}
