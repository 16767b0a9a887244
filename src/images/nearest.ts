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

/** Levenshtein distance. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const above = row;
    row = [i];
    for (let j = 1; j <= b.length; j++) {
      const substituted = (above[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      row.push(Math.min(substituted, (above[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1));
    }
  }
  return row[b.length] ?? 0;
}
