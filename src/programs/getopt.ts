/** What a command line says, by letter. A letter that came twice has its last value. */
export type Options = { flags: Set<string>; values: Map<string, string>; words: string[] };

/**
 * Reads a command line as getopt(3) of glibc does: letters may be joined (`-qN`), a value may follow its letter at
 * once or as the next word, options may come after words, `--` ends them. Returns a complaint instead when it cannot.
 * @param flags letters without a value
 * @param valued letters with a value
 * @param long words such as `--loopback` that count as flags under their whole name; `--name=` takes a value, joined by `=` or as the next word
 */
export function getopt(argv: readonly string[], flags: string, valued: string, long: readonly string[] = []): Options | string {
  const options: Options = { flags: new Set(), values: new Map(), words: [] };
  for (let at = 0; at < argv.length; at++) {
    const word = argv[at] ?? '';
    if (word === '--') {
      options.words.push(...argv.slice(at + 1));
      break;
    }
    const name = word.replace(/=[^]*$/, '');
    if (long.includes(word) && !word.endsWith('=')) options.flags.add(word);
    else if (long.includes(`${name}=`)) {
      const value = name === word ? argv[++at] : word.slice(name.length + 1);
      if (value === undefined) return `option requires an argument -- '${name}'`;
      options.values.set(name, value);
    } else if (!word.startsWith('-') || word === '-') options.words.push(word);
    else {
      const complaint = readLetters(word, argv[at + 1], flags, valued, options);
      if (complaint === 'took-next') at++;
      else if (complaint) return complaint;
    }
  }
  return options;
}

function readLetters(word: string, next: string | undefined, flags: string, valued: string, options: Options): string | null {
  for (let i = 1; i < word.length; i++) {
    const letter = word[i] ?? '';
    if (flags.includes(letter)) options.flags.add(letter);
    else if (!valued.includes(letter)) return `invalid option -- '${letter}'`;
    else if (i + 1 < word.length) {
      options.values.set(letter, word.slice(i + 1));
      return null;
    } else if (next === undefined) return `option requires an argument -- '${letter}'`;
    else {
      options.values.set(letter, next);
      return 'took-next';
    }
  }
  return null;
}

/** The value as a whole number (decimal, or 0x and hexadecimal) of at least `least`; `fallback` when it was not given; null when it is no such number. */
export function numberValue(options: Options, letter: string, fallback: number, least = 0): number | null {
  const text = options.values.get(letter);
  if (text === undefined) return fallback;
  const value = /^(-?\d+|0x[0-9a-f]+)$/i.test(text) ? Number(text) : NaN;
  return Number.isSafeInteger(value) && value >= least ? value : null;
}
