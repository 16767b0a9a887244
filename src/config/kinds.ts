import { isAbsolute, join, resolve } from 'node:path';
import { isHostname } from '../inventory/addresses.js';
import { isIpv4 } from '../util/ipv4.js';
import { nearest } from '../util/nearest.js';
import { parsePortPattern, type PortPattern } from './patterns.js';

/** Where a value stands, for what is relative to it. */
export type ValueContext = {
  /** Folder of the file that holds the value. */
  folder: string;
  /** Home folder, for `~/`. */
  home: string;
};

/** A kind of value: how it is written, and what it becomes. */
export type Kind<T> = {
  /** What is allowed, for documentation and messages: "whole number, 1 to 65535". */
  allowed: string;
  /** The typed value, or undefined when `text` is not allowed. */
  parse(text: string, context: ValueContext): T | undefined;
  /** What somebody who wrote a value that is not allowed may have meant, or null. */
  meant?(text: string): string | null;
};

/** Any text at all, but for nothing. */
export const text: Kind<string> = { allowed: 'a text', parse: (text) => (text === '' ? undefined : text) };

export const hostname: Kind<string> = { allowed: 'a host name or an address', parse: (text) => (isHostname(text) ? text : undefined) };

/** The prefix of host names; a letter first, so that it can never be part of a number. */
export const prefix: Kind<string> = {
  allowed: 'the beginning of a host name: a letter, then letters, digits or hyphens',
  parse: (text) => (/^[A-Za-z][A-Za-z0-9-]*$/.test(text) ? text : undefined),
};

/** A folder or file here on the gateway, made absolute. */
export const path: Kind<string> = {
  allowed: 'a path; a relative one starts at the folder of the configuration file, ~/ at the home folder',
  parse: (text, { folder, home }) => {
    if (text === '') return undefined;
    if (text !== '~' && !text.startsWith('~/')) return resolve(folder, text);
    return isAbsolute(home) ? join(home, text.slice(1)) : undefined;
  },
};

/** A path on the nodes; it is typed into their shell, hence the narrow set of characters. */
export const nodePath: Kind<string> = {
  allowed: 'an absolute path of letters, digits and / . _ - + : @ ,',
  parse: (text) => (isAbsolute(text) && isPlain(text) ? text : undefined),
};

/** A program's name, found in PATH, or its path; without options. */
export const program: Kind<string> = {
  allowed: 'the name or path of a program, without options: letters, digits and / . _ - + : @ ,',
  parse: (text) => (isPlain(text) && !text.startsWith('-') ? text : undefined),
};

/** A program of this machine, started without a shell: any name or path. */
export const localProgram: Kind<string> = {
  allowed: 'the name or path of a program, without options',
  parse: (text) => (text !== '' && !text.startsWith('-') && !/[\u0000-\u001f\u007f]/.test(text) ? text : undefined),
};

function isPlain(text: string): boolean {
  return /^[\w/.+:@,-]+$/.test(text);
}

/** Words for a program's command line; quotes of either kind keep blanks together, nothing else is special. */
export const words: Kind<readonly string[]> = {
  allowed: 'words separated by blanks; quotes keep a word with blanks together; may be empty',
  parse: splitWords,
};

/** A command with `{ip}` in it, run without a shell. */
export const ipCommand: Kind<readonly string[] | null> = {
  allowed: 'a command that holds {ip}, or nothing',
  parse: (text) => {
    const command = splitWords(text);
    if (command?.length === 0) return null;
    return command?.slice(1).some((argument) => argument.includes('{ip}')) ? command : undefined;
  },
};

function splitWords(text: string): readonly string[] | undefined {
  const pieces = text.match(/(?:[^\s"']|"[^"]*"|'[^']*')+|["']/g) ?? [];
  if (pieces.some((piece) => piece === '"' || piece === "'")) return undefined; // a quote that is not closed
  return pieces.map((piece) => piece.replace(/"([^"]*)"|'([^']*)'/g, '$1$2'));
}

export function integer(min: number, max: number): Kind<number> {
  return {
    allowed: `a whole number, ${min} to ${max}`,
    parse: (text) => (/^\d{1,9}$/.test(text) && Number(text) >= min && Number(text) <= max ? Number(text) : undefined),
  };
}

export const port: Kind<number> = integer(1, 65_535);

/** A decimal number in `unit`. */
export function decimal(min: number, max: number, unit: string): Kind<number> {
  return {
    allowed: `a number, ${min} to ${max}, in ${unit}`,
    parse: (text) => {
      const number = /^\d{1,9}(\.\d{1,9})?$/.test(text) ? Number(text) : NaN;
      return number >= min && number <= max ? number : undefined;
    },
  };
}

/** Written in seconds; the value is milliseconds. One week at most, well below what timers can hold. */
export function seconds(min: number): Kind<number> {
  const kind = decimal(min, 604_800, 'seconds');
  return {
    allowed: kind.allowed,
    parse: (text, context) => {
      const value = kind.parse(text, context);
      return value === undefined ? undefined : Math.round(value * 1000);
    },
  };
}

/** So many nodes in so much time; the value is milliseconds. */
export const windowSize: Kind<{ nodes: number; perMs: number }> = {
  allowed: 'a number of nodes and a time, such as 20/2s',
  parse: (text) => {
    const [, nodes, time] = /^([1-9]\d{0,5})\/(\d{1,5}(?:\.\d{1,3})?)s?$/.exec(text) ?? [];
    const perMs = Math.round(Number(time) * 1000);
    return nodes === undefined || !(perMs > 0) ? undefined : { nodes: Number(nodes), perMs };
  },
};

export const boolean: Kind<boolean> = {
  allowed: 'yes, true, on or 1; no, false, off or 0 (in any case)',
  parse: (text) => {
    const lower = text.toLowerCase();
    if (['yes', 'true', 'on', '1'].includes(lower)) return true;
    return ['no', 'false', 'off', '0'].includes(lower) ? false : undefined;
  },
};

export function choice<T extends string>(...options: readonly T[]): Kind<T> {
  return { allowed: options.join(' or '), parse: (text) => options.find((option) => option === text) };
}

/** Some of these words, separated by commas or blanks. */
export function someOf<T extends string>(...options: readonly T[]): Kind<readonly T[]> {
  const split = (text: string): string[] => text.split(/[\s,]+/).filter((word) => word !== '');
  const known = (word: string): T | undefined => options.find((option) => option === word);
  return {
    allowed: `some of ${options.join(', ')}, separated by commas or blanks; may be empty`,
    parse: (text) => {
      const words = split(text).map(known);
      return words.every((word) => word !== undefined) ? words : undefined;
    },
    meant: (text) => {
      const unknown = split(text).find((word) => known(word) === undefined);
      return unknown === undefined ? null : nearest(unknown, options);
    },
  };
}

/** The same kind, or nothing. */
export function optional<T>(kind: Kind<T>): Kind<T | null> {
  return { allowed: `${kind.allowed}; or nothing`, parse: (text, context) => (text === '' ? null : kind.parse(text, context)) };
}

/** Login names, separated by commas or blanks. */
export const logins: Kind<readonly string[]> = {
  allowed: 'login names, separated by commas; may be empty',
  parse: (text) => {
    const names = text.split(/[\s,]+/).filter((name) => name !== '');
    return names.every((name) => /^[\w.@+-]+\$?$/.test(name)) ? names : undefined;
  },
};

/** Where an HTTP service is; no query, and no login in it, which would end up in messages. */
export const httpUrl: Kind<string> = {
  allowed: 'an http or https URL without login, query or fragment',
  parse: (text) => {
    if (!/^https?:\/\//i.test(text) || !URL.canParse(text)) return undefined;
    const { username, password, search, hash } = new URL(text);
    return [username, password, search, hash].every((part) => part === '') ? text : undefined;
  },
};
/** The same kind, or the word `none`. */
export function unlessNone<T>(kind: Kind<T>): Kind<T | null> {
  return {
    allowed: `${kind.allowed}; or none`,
    parse: (text, context) => (text.toLowerCase() === 'none' ? null : kind.parse(text, context)),
  };
}

export const ipv4: Kind<string> = { allowed: 'an IPv4 address', parse: (text) => (isIpv4(text) ? text : undefined) };

/** Node specs; their grammar is checked where they are used, by `selectNodes`. */
export const nodeSpecs: Kind<string> = { allowed: 'node specs, separated by blanks or commas', parse: (text) => text };

export const groupPattern: Kind<string> = {
  allowed: 'an IPv4 multicast address with * in place of one number',
  parse: (text) => (/^(\d{1,3}|\*)(\.(\d{1,3}|\*)){3}$/.test(text) && text.split('*').length === 2 ? text : undefined),
};

export const portPattern: Kind<PortPattern> = {
  allowed: 'whole numbers and the slot number * joined by + - and *, such as 10000 + *',
  parse: (text) => parsePortPattern(text) ?? undefined,
};
