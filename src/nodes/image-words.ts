import { type NodeNames, withoutPrefixes } from './names.js';

/**
 * Whether a word among the nodes is more likely an image whose `-i` was forgotten: it holds a letter that is in no node
 * prefix (`ubuntu`, `u24`, `fedora-21`), a slash, or a date (`2015-11-25`, which reads as an empty range). The names of
 * sets (`@failed:last`) and operators spelled out (`and:4`) are no letters of an image.
 */
export function looksLikeImage(word: string, names: NodeNames): boolean {
  const rest = withoutPrefixes(word.replace(/(^|,)(~|&|\^|and:|xor:)?(@[^,]*)?/g, '$1'), names);
  return /\p{L}|\//u.test(rest) || /(^|\D)\d{4}-\d{2}-\d{2}(\D|$)/.test(rest);
}
