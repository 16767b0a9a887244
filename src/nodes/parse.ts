import { UserError, type UserErrorKind } from '../util/errors.js';
import { looksLikeImage } from './image-words.js';
import { ascending, type NodeNames, withoutPrefixes } from './names.js';

/** The most nodes one selection may hold: far above any testbed, low enough that `1-999999999` is a clear mistake. */
export const MAX_NODES = 100_000;
/** The highest node number, so that every number keeps its nine digits in names and addresses. */
const MAX_NUMBER = 999_999_999;

/** Where the words come from, for messages: the command line (null), `NODES`, `ALL_NODES`, `testbed.all_scope`. */
export type WordOrigin = { name: string | null; kind: UserErrorKind };

const COMMAND_LINE: WordOrigin = { name: null, kind: 'usage' };
const FORMS =
  'a node is 1, 004, fit01 or reboot01; a range is 2-12 or fit4-reboot12, with a step 4-16-2; ~5 takes out; @group and @failed:last are sets; commas join: 1,3,7-9';

/**
 * What the text after `@` stands for (`failed:last`, `group`), as node numbers in any order. Whoever resolves knows
 * runs and groups; this folder does not. Throws a UserError when there is no such set.
 */
export type SetResolver = (reference: string) => readonly number[];

/** An inclusive range of node numbers, empty when `last` is below `first`. */
type Range = { first: number; last: number; step: number };

/** What a piece does to what is selected by then. */
type Operation = 'add' | 'remove' | 'intersect' | 'toggle';
const OPERATIONS: Readonly<Record<string, Operation>> = {
  '~': 'remove',
  '&': 'intersect',
  '^': 'toggle',
  'and:': 'intersect',
  'xor:': 'toggle',
};

/**
 * The set of node numbers that `words` select, ascending. Words apply strictly left to right: `~4-6` takes out what
 * stands there by then, `&4-6` (or `and:4-6`) keeps of it only those, `^4-6` (or `xor:4-6`) takes out those that are
 * there and adds the others. In each word every occurrence of the two prefixes is deleted first, then commas separate
 * pieces; an operator binds to its own piece. `@` starts a set that `resolve` knows, whose name stays as it is. `5-3` is
 * empty. No look at any inventory: see `checkKnown`.
 *
 * @throws UserError naming the word when it is none of the forms, has a step of 0 or selects more than MAX_NODES.
 */
export function parseNodeSpecs(
  words: readonly string[],
  names: NodeNames,
  origin: WordOrigin = COMMAND_LINE,
  resolve: SetResolver = noSets,
): number[] {
  const selected = new Set<number>();
  applyNodeSpecs(selected, words, names, origin, resolve);
  return ascending(selected);
}

/** `parseNodeSpecs` on top of what `selected` already holds. */
export function applyNodeSpecs(
  selected: Set<number>,
  words: readonly string[],
  names: NodeNames,
  origin: WordOrigin = COMMAND_LINE,
  resolve: SetResolver = noSets,
): void {
  for (const word of words) {
    for (const raw of word.split(',')) {
      const { operation, text } = splitPiece(raw, names);
      if (text.startsWith('@')) apply(selected, operation, resolve(text.slice(1)), word, origin);
      else applyRange(selected, operation, parseRange(text, word, names, origin), word, origin);
    }
  }
}

const noSets: SetResolver = (reference) => {
  throw new UserError('usage', `"@${shown(reference)}": no sets are known here`);
};

/** The operator of a piece and what follows it; prefixes are deleted, but for the name of a set. */
function splitPiece(raw: string, names: NodeNames): { operation: Operation; text: string } {
  const [, before = '', reference] = /^(~|&|\^|and:|xor:)?(@.*)?/s.exec(raw) ?? [];
  if (reference !== undefined) return { operation: OPERATIONS[before] ?? 'add', text: reference };
  const spelled = before.endsWith(':') ? before : '';
  const piece = withoutPrefixes(spelled === '' ? raw : raw.slice(spelled.length), names);
  const operator = spelled === '' && piece !== '' && '~&^'.includes(piece[0]!) ? piece[0]! : '';
  return { operation: OPERATIONS[spelled + operator] ?? 'add', text: piece.slice(operator.length) };
}

function applyRange(selected: Set<number>, operation: Operation, range: Range, word: string, origin: WordOrigin): void {
  if (operation === 'remove') remove(selected, range);
  else if (operation === 'intersect')
    intersect(selected, (number) => number >= range.first && number <= range.last && (number - range.first) % range.step === 0);
  else if (operation === 'add') add(selected, range, word, origin);
  else {
    const other = new Set<number>();
    add(other, range, word, origin);
    apply(selected, operation, [...other], word, origin);
  }
}

function apply(selected: Set<number>, operation: Operation, numbers: readonly number[], word: string, origin: WordOrigin): void {
  if (operation === 'intersect') {
    const kept = new Set(numbers);
    return intersect(selected, (number) => kept.has(number));
  }
  for (const number of new Set(numbers)) {
    const takesOut = operation === 'remove' || (operation === 'toggle' && selected.has(number));
    if (takesOut) selected.delete(number);
    else selected.add(number);
  }
  if (selected.size > MAX_NODES) throw tooMany(word, origin);
}

function intersect(selected: Set<number>, isKept: (number: number) => boolean): void {
  for (const number of selected) if (!isKept(number)) selected.delete(number);
}

function parseRange(text: string, word: string, names: NodeNames, origin: WordOrigin): Range {
  const match = /^([0-9]+)(?:-([0-9]+)(?:-([0-9]+))?)?$/.exec(text);
  if (match === null) throw misformed(text, word, names, origin);
  const first = Number(match[1]);
  const last = match[2] === undefined ? first : Number(match[2]);
  const step = match[3] === undefined ? 1 : Number(match[3]);
  if (Math.max(first, last, step) > MAX_NUMBER) throw wrong(origin, `"${shown(word)}" holds a number above ${MAX_NUMBER}`);
  if (step === 0) throw wrong(origin, `"${shown(word)}" has a step of 0`, 'the step, the third number, is 1 or more: 1-9-2 is 1,3,5,7,9');
  return { first, last, step };
}

function add(selected: Set<number>, { first, last, step }: Range, word: string, origin: WordOrigin): void {
  const fits = (last - first) / step < MAX_NODES;
  for (let number = first; fits && number <= last; number += step) selected.add(number);
  if (!fits || selected.size > MAX_NODES) throw tooMany(word, origin);
}

function tooMany(word: string, origin: WordOrigin): UserError {
  return wrong(origin, `"${shown(word)}" brings the selection above ${MAX_NODES} nodes`);
}

function remove(selected: Set<number>, { first, last, step }: Range): void {
  // a range far larger than the set costs only as much as the set
  if ((last - first) / step > selected.size) {
    for (const number of selected) {
      if (number >= first && number <= last && (number - first) % step === 0) selected.delete(number);
    }
  } else {
    for (let number = first; number <= last; number += step) selected.delete(number);
  }
}

function misformed(text: string, word: string, names: NodeNames, origin: WordOrigin): UserError {
  if (/^[0-9]+(-[0-9]+){3,}$/.test(text)) return wrong(origin, `"${shown(word)}" has more than three numbers`, FORMS);
  const said = `"${shown(word)}" is neither a node nor a range of nodes`;
  if (/\S\s+\S/.test(word)) return wrong(origin, said, 'it holds a blank: give several words, each in quotes of its own if it needs any');
  if (looksLikeImage(word, names)) return wrong(origin, said, 'it looks like an image: did you forget -i?');
  return wrong(origin, said, FORMS);
}

function wrong(origin: WordOrigin, message: string, hint?: string): UserError {
  return new UserError(origin.kind, origin.name === null ? message : `${origin.name}: ${message}`, hint);
}

/** A word as a message may hold it: short, on one line, without control characters. */
export function shown(word: string): string {
  const clean = word.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, '?');
  return clean.length <= 60 ? clean : `${clean.slice(0, 57)}...`;
}
