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
const FORMS = 'a node is 1, 004, fit01 or reboot01; a range is 2-12 or fit4-reboot12, with a step 4-16-2; ~5 takes out; commas join: 1,3,7-9';

/** An inclusive range of node numbers, empty when `last` is below `first`. */
type Range = { first: number; last: number; step: number };

/**
 * The set of node numbers that `words` select, ascending. Words apply strictly left to right: `~4-6` takes out what
 * stands there by then. In each word every occurrence of the two prefixes is deleted first, then commas separate
 * pieces; `~` binds to its own piece. `5-3` is empty. No look at any inventory: see `checkKnown`.
 *
 * @throws UserError naming the word when it is none of the forms, has a step of 0 or selects more than MAX_NODES.
 */
export function parseNodeSpecs(words: readonly string[], names: NodeNames, origin: WordOrigin = COMMAND_LINE): number[] {
  const selected = new Set<number>();
  applyNodeSpecs(selected, words, names, origin);
  return ascending(selected);
}

/** `parseNodeSpecs` on top of what `selected` already holds. */
export function applyNodeSpecs(selected: Set<number>, words: readonly string[], names: NodeNames, origin: WordOrigin = COMMAND_LINE): void {
  for (const word of words) {
    for (const piece of withoutPrefixes(word, names).split(',')) {
      const removes = piece.startsWith('~');
      const range = parseRange(removes ? piece.slice(1) : piece, word, names, origin);
      if (removes) remove(selected, range);
      else add(selected, range, word, origin);
    }
  }
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
  if (!fits || selected.size > MAX_NODES) throw wrong(origin, `"${shown(word)}" brings the selection above ${MAX_NODES} nodes`);
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
  if (looksLikeImage(word, names)) return wrong(origin, said, 'it looks like an image: did you forget -i?');
  if (/\S\s+\S/.test(word)) return wrong(origin, said, 'it holds a blank: give several words without quotes around them');
  return wrong(origin, said, FORMS);
}

function wrong(origin: WordOrigin, message: string, hint?: string): UserError {
  return new UserError(origin.kind, origin.name === null ? message : `${origin.name}: ${message}`, hint);
}

/** A word as a message may hold it: short, on one line, without control characters. */
function shown(word: string): string {
  const clean = word.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, '?');
  return clean.length <= 60 ? clean : `${clean.slice(0, 57)}...`;
}
