import { commands } from '../table.js';
import { bashCompletion } from '../completion/bash.js';
import { fishCompletion } from '../completion/fish.js';
import { zshCompletion } from '../completion/zsh.js';
import { commandPage, overviewPage } from './command-page.js';
import { configPage } from './config-page.js';
import { packageLists, type PackageLists } from './package-lists.js';

/** Everything that is made from the tables of commands and settings, as it is put into the package: path → contents. */
export function generatedFiles(version: string): Map<string, string> {
  return new Map([
    ['completions/imaging.bash', bashCompletion(commands)],
    ['completions/_imaging', zshCompletion(commands)],
    ['completions/imaging.fish', fishCompletion(commands)],
    ['man/man1/imaging.1', overviewPage(commands, version)],
    ...commands.map((command): [string, string] => [`man/man1/imaging-${command.name}.1`, commandPage(command, version)]),
    ['man/man5/imaging.conf.5', configPage(version)],
  ]);
}

/** What the package itself says of commands. */
export function generatedLists(): PackageLists {
  return packageLists(
    commands,
    [...generatedFiles('').keys()].filter((path) => path.startsWith('man/')),
  );
}
