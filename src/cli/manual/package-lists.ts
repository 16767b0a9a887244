import type { Command } from '../kit/command.js';

/** What package.json, bin/ and scripts/check-package.sh say of commands; the tests compare, `npm run generate` writes it there. */
export type PackageLists = {
  /** Every name that a command can be called by, and the one executable; but not those of the programs that it can take the place of. */
  bin: Readonly<Record<string, string>>;
  man: readonly string[];
  /** The commands that have a help of their own. */
  helpful: readonly string[];
};

/** `pages`: the paths of the manual pages. */
export function packageLists(commands: readonly Command[], pages: readonly string[]): PackageLists {
  const names = commands.flatMap(({ name, aliases = [] }) => [`imaging-${name}`, ...aliases.filter((alias) => alias !== name)]);
  return {
    bin: Object.fromEntries(['imaging', ...names].sort().map((name) => [name, 'bin/imaging.js'])),
    man: [...pages].sort(),
    helpful: commands.filter(({ kind }) => kind !== 'program').map(({ name }) => name),
  };
}
