/** How a testbed names its nodes: `fit` for `fit07` (the node), `reboot` for `reboot07` (its power card). */
export type NodeNames = { regularName: string; rebootName: string };

/** The host name of node `number`: the prefix and at least two digits (`fit07`, `fit100`). */
export function nodeName(number: number, prefix: string): string {
  return prefix + String(number).padStart(2, '0');
}

/** The number in a host name of the testbed (`fit07`, prefix `fit`: 7), or null. */
export function nodeNumber(hostname: string, prefix: string): number | null {
  const digits = hostname.startsWith(prefix) ? hostname.slice(prefix.length) : '';
  return /^[0-9]{1,9}$/.test(digits) ? Number(digits) : null;
}

/** `word` with every occurrence of either prefix deleted, wherever it stands (`fit4-reboot12` is `4-12`). */
export function withoutPrefixes(word: string, names: NodeNames): string {
  return without(without(word, names.regularName), names.rebootName);
}

function without(word: string, prefix: string): string {
  return word.includes(prefix) ? word.replaceAll(prefix, '') : word;
}

/** The numbers as an array, ascending. Repetitions stay. */
export function ascending(numbers: Iterable<number>): number[] {
  const list = [...numbers];
  // selections mostly come in order: looking costs a tenth of sorting
  const inOrder = list.every((number, index) => index === 0 || number >= list[index - 1]!);
  return inOrder ? list : [...Float64Array.from(list).sort()];
}

/** `1-3,7-12` for the numbers 1 2 3 7 8 9 10 11 12, in any order; an empty text for none. Parses back to the same set. */
export function fold(numbers: Iterable<number>): string {
  const list = ascending(numbers);
  let folded = '';
  for (let start = 0; start < list.length; ) {
    let end = start;
    // equal numbers are passed over, so a list with repetitions folds like its set
    while (end + 1 < list.length && list[end + 1]! - list[end]! <= 1) end += 1;
    const first = list[start]!;
    const last = list[end]!;
    folded += `${folded === '' ? '' : ','}${first === last ? first : `${first}-${last}`}`;
    start = end + 1;
  }
  return folded;
}

/** `fold` for host names: `fit01`, `fit02` are `1-2`. Names that do not end in a number are listed as they are. */
export function foldNames(names: readonly string[]): string {
  const numbers = names.map((name) => /\d{1,9}$/.exec(name)?.[0]);
  const odd = names.filter((_, index) => numbers[index] === undefined);
  const folded = fold(numbers.flatMap((number) => (number === undefined ? [] : Number(number))));
  return [...(folded === '' ? [] : [folded]), ...odd].join(',');
}
