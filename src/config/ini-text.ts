import { parse } from 'ini';
import { UserError } from '../util/errors.js';

/** Section name → key → value, all as written; keys are lower case. */
export type IniValues = Map<string, Map<string, string>>;

/**
 * The values of an ini file. Our dialect, which docs/configuration.md describes, is brought into the one form that the
 * ini package reads without surprises: it would nest `[a.b]`, turn `'90'` into a number, keep the quotes of a value
 * that a comment follows, cut values at any `#`, and take an indented or commented `[section]` for a key.
 *
 * @throws UserError `environment` naming file and line of what is neither section, setting nor comment
 */
export function parseIni(text: string, file: string): IniValues {
  const lines: string[] = [];
  let inSection = false;
  for (const [index, line] of text
    .replace(/^\uFEFF/, '')
    .split(/\r\n|\n|\r/)
    .entries()) {
    const fail = (what: string): UserError =>
      new UserError('environment', `${file}, line ${index + 1}: ${what}`, 'docs/configuration.md says how settings are written');
    const trimmed = line.trim();
    if (trimmed === '' || /^[;#]/.test(trimmed)) continue;
    if (trimmed.startsWith('[')) {
      lines.push(`[${sectionName(trimmed, fail).replaceAll('.', '\\.')}]`);
      inSection = true;
    } else {
      if (!inSection) throw fail('a setting before the first [section]');
      const { key, value } = setting(trimmed, fail);
      lines.push(`${key}=${JSON.stringify(value)}`);
    }
  }
  return flatten(parse(lines.join('\n')));
}

type Fail = (what: string) => UserError;

function sectionName(line: string, fail: Fail): string {
  const name = /^\[\s*([\w. -]*?)\s*\]\s*([;#].*)?$/.exec(line)?.[1];
  if (!name) throw fail(`${shown(line)} is no [section]`);
  return name;
}

function setting(line: string, fail: Fail): { key: string; value: string } {
  const separator = line.search(/[=:]/);
  if (separator < 0) throw fail(`${shown(line)} has no "="`);
  const key = line.slice(0, separator).trim().toLowerCase();
  if (!/^[\w.-]+$/.test(key)) throw fail(`${shown(key)} is no name of a setting`);
  const value = unquoted(line.slice(separator + 1).trim(), fail);
  if (/[\u0000-\u0008\u000a-\u001f\u007f-\u009f\u2028\u2029]/.test(value)) throw fail(`the value of ${key} holds a control character`);
  return { key, value };
}

/** Takes off a comment (`;` or `#` after a blank, outside quotes) and the quotes around the whole value. */
function unquoted(text: string, fail: Fail): string {
  const quote = text[0];
  if (quote !== '"' && quote !== "'") return text.replace(/(^|\s)[;#].*$/, '').trimEnd();
  const end = text.indexOf(quote, 1);
  if (end < 0) throw fail(`the quote before ${shown(text.slice(1))} is not closed`);
  const rest = text.slice(end + 1);
  if (/^\s*$|^\s+[;#]/.test(rest)) return text.slice(1, end);
  throw fail(`text follows the closing quote: ${shown(rest.trim())} (put the other kind of quotes around the whole value)`);
}

/** The package's result is sections of strings by now; its own conversions of true, false and null are taken back. */
function flatten(parsed: unknown): IniValues {
  const values: IniValues = new Map();
  if (typeof parsed !== 'object' || parsed === null) return values;
  for (const [section, settings] of Object.entries(parsed)) {
    if (typeof settings !== 'object' || settings === null) continue;
    values.set(section, new Map(Object.entries(settings).map(([key, value]) => [key, String(value)])));
  }
  return values;
}

function shown(text: string): string {
  return JSON.stringify(text.length <= 60 ? text : `${text.slice(0, 57)}...`);
}
