import type { Command } from '../kit/command.js';
import { commandPlaces, type CommandPlaces, type OptionPlace, type Place } from './model.js';

/** Completions for fish. It looks for them under each command's name: link those to the one file. */
export function fishCompletion(commands: readonly Command[]): string {
  const places = commands.map(commandPlaces);
  return `# Completions of imaging for fish, made by: imaging completion fish

# The word at the cursor without its quotes, of which one may be open; without the option before an = as well.
function __imaging_token
    set -l token (commandline -ct)
    for end in '' \\' '"'
        if set -l plain (string unescape -- $token$end)
            string replace -r -- '^--[^=]*=' '' $plain
            return
        end
    end
end

# fish quotes what it is offered.
function __imaging_names
    set -l token (__imaging_token)
    set -l head ''
    # the last piece of 1-3,~fit0
    if test $argv[1] = nodes
        set head (string match -r '^.*[,~]' -- $token; or echo '')
    end
    for name in (command imaging completion --words $argv[1] 2>/dev/null)
        printf '%s\\n' $head$name
    end
end

# Files, where a bare name means an image: only what has a slash is a path.
function __imaging_paths
    set -l token (commandline -ct)
    if string match -q -- '*/*' $token
        __fish_complete_path $token
    end
end

# Whether the word after the command, options aside, is one of these; without any, whether there is none yet.
function __imaging_action
    set -l words (commandline -opc)
    set -l from 2
    if test (string replace -r '.*/' '' -- $words[1]) = imaging
        set from 3
    end
    for word in $words[$from..-1]
        if not string match -q -- '-*' $word
            contains -- $word $argv
            return
        end
    end
    test (count $argv) -eq 0
end

complete -c imaging -f
${places.map(({ name, summary }) => `complete -c imaging -n __fish_use_subcommand -a ${name} -d ${quote(summary)}`).join('\n')}
${places
  .flatMap((command) => [
    ...linesOf(command, 'imaging', `__fish_seen_subcommand_from ${command.name}`),
    ...(command.isProgram ? command.calledBy.slice(0, 1) : command.calledBy).flatMap((name) => linesOf(command, name, null)),
  ])
  .join('\n')}
`;
}

function linesOf({ options, operands, takesCommand }: CommandPlaces, name: string, condition: string | null): string[] {
  const start = (more: string | null): string => {
    const all = [condition, more].filter((each) => each !== null);
    return `complete -c ${name}${all.length === 0 ? '' : ` -n ${quote(all.join('; and '))}`}`;
  };
  const words =
    'actions' in operands
      ? [
          `${start('__imaging_action')} -f -a ${quote([...operands.actions.keys()].join(' '))}`,
          ...[...operands.actions].flatMap(([action, place]) => operandLines(start(`__imaging_action ${action}`), place)),
        ]
      : operandLines(start(null), operands);
  const command = takesCommand ? [`${start('contains -- -- (commandline -opc)')} -F -a '(__fish_complete_command)'`] : [];
  const noFiles = 'actions' in operands || !takesFiles(operands) ? [`${start(null)} -f`] : [];
  return [...noFiles, ...words, ...command, ...options.map((option) => optionLine(start(null), option))];
}

function operandLines(start: string, place: Place): string[] {
  const offered = offers(place);
  return offered === '' && !takesFiles(place)
    ? []
    : [`${start} ${takesFiles(place) ? '-F' : '-f'}${offered === '' ? '' : ` -a ${quote(offered)}`}`];
}

function optionLine(start: string, { names, describe, value }: OptionPlace): string {
  const flags = names.map((name) => (name.startsWith('--') ? `-l ${name.slice(2)}` : `-s ${name.slice(1)}`)).join(' ');
  if (value === null) return `${start} ${flags} -d ${quote(describe)}`;
  const offered = offers(value);
  return `${start} ${flags} ${takesFiles(value) ? '-r -F' : '-x'}${offered === '' ? '' : ` -a ${quote(offered)}`} -d ${quote(describe)}`;
}

function offers({ words, kinds }: Place): string {
  const names = kinds.filter((kind) => !isOfFiles(kind)).map((kind) => `(__imaging_names ${kind})`);
  return [...words, ...names, ...(names.length > 0 && kinds.some(isOfFiles) ? ['(__imaging_paths)'] : [])].join(' ');
}

/** Whether fish should offer files by itself; beside names it would drown them. */
function takesFiles({ kinds }: Place): boolean {
  return kinds.length > 0 && kinds.every(isOfFiles);
}

function isOfFiles(kind: Place['kinds'][number]): boolean {
  return kind === 'files' || kind === 'folders';
}

function quote(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}
