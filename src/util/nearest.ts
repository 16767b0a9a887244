/** The candidate that takes the fewest edits to reach from `word`, when they are few for its length; else null. */
export function nearest(word: string, candidates: Iterable<string>): string | null {
  let best: string | null = null;
  let bestDistance = Math.max(2, Math.ceil(word.length * 0.4)) + 1;
  for (const candidate of candidates) {
    if (Math.abs(candidate.length - word.length) >= bestDistance) continue;
    const distance = editDistance(word, candidate);
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance];
  }
  return best;
}

/** The `count` candidates most like `word`, whatever their case, best first; those that have little in common with it are left out. */
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

/** Levenshtein distance: insertions, deletions and replacements of one character. */
export function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const replaced = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[b.length]!;
}
