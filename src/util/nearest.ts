import { editDistance } from './edit-distance.js';

/** The `count` candidates most like `word`, best first; those that have little in common with it are left out. */
export function nearestNames(word: string, candidates: Iterable<string>, count = 3): string[] {
  const wanted = word.toLowerCase();
  return [...new Set(candidates)]
    .map((name) => ({ name, score: unlikeness(wanted, name.toLowerCase()) }))
    .filter(({ score }) => score < 0.6)
    .sort((a, b) => a.score - b.score || (a.name < b.name ? -1 : 1))
    .slice(0, count)
    .map(({ name }) => name);
}

/** 0 for equal words, up to 1 for words that share nothing; a word that contains the other is close to it. */
function unlikeness(a: string, b: string): number {
  const distance = editDistance(a, b) / Math.max(a.length, b.length, 1);
  const contains = a.length > 1 && b.length > 1 && (a.includes(b) || b.includes(a));
  return contains ? Math.min(distance, 0.3) : distance;
}
