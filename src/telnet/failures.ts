import { Failure, messageOf, systemCode } from '../util/errors.js';
import { printable } from '../util/text.js';

const UNREACHABLE = new Set(['EHOSTUNREACH', 'ENETUNREACH', 'EHOSTDOWN', 'ENETDOWN', 'EADDRNOTAVAIL', 'ENOTFOUND', 'EAI_AGAIN']);

/** What went wrong while connecting to a telnet server, by the system's error code. */
export function telnetFailure(host: string, port: number, error: unknown): Failure {
  const where = `telnet ${host}:${port}`;
  const code = systemCode(error) ?? '';
  const cause = { cause: error };
  if (code === 'ECONNREFUSED') {
    return new Failure(
      'telnet-refused',
      `${where} refused the connection`,
      'the machine answers, but no telnetd runs: did it boot something else than the ramdisk?',
      cause,
    );
  }
  if (code === 'ETIMEDOUT') return new Failure('telnet-timeout', `${where} did not answer (${code})`, undefined, cause);
  if (UNREACHABLE.has(code))
    return new Failure(
      'telnet-unreachable',
      `${where} cannot be reached (${code})`,
      'is the machine on, and its control network up?',
      cause,
    );
  return new Failure(
    'telnet-closed',
    `${where} closed the connection while it was being opened (${code || messageOf(error)})`,
    undefined,
    cause,
  );
}

export function timeoutFailure(host: string, port: number, timeoutMs: number): Failure {
  return new Failure(
    'telnet-timeout',
    `telnet ${host}:${port} did not accept a connection within ${timeoutMs / 1000} s`,
    'is the machine on, and has it booted the ramdisk?',
  );
}

export function silentFailure(host: string, port: number, timeoutMs: number): Failure {
  return new Failure(
    'telnet-silent',
    `telnet ${host}:${port} is connected but said nothing for ${timeoutMs / 1000} s`,
    'the ramdisk may still be booting, or its telnetd serves too many others',
  );
}

/** `where`: `telnet host:port`. */
export function loginFailure(where: string): Failure {
  return new Failure(
    'telnet-login',
    `${where} asks for a login, where the PXE system has a shell at once`,
    'did it boot its disk instead of the PXE system? else its telnetd must run a shell (telnetd -l /bin/sh)',
  );
}

/** `text`: what it said; its end is shown. */
export function noShellFailure(where: string, text: string, timeoutMs: number): Failure {
  const shown = JSON.stringify(printable(text.replace(/\s+/g, ' ')).slice(-80));
  return new Failure(
    'telnet-no-shell',
    `${where} answers, but ran no command within ${timeoutMs / 1000} s; it says ${shown}`,
    'is this the PXE system, and its shell up?',
  );
}

/** A command line short enough for a message. */
export function shortCommand(command: string): string {
  return command.length <= 60 ? command : `${command.slice(0, 57)}...`;
}
