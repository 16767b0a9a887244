import type { Command } from '../kit/command.js';
import { BASH_RUNTIME } from './bash-runtime.js';
import { callableNames, commandPlaces, type CommandPlaces, type Place } from './model.js';

/**
 * Completions for bash, without the package bash-completion. What the table knows is in the script; names of nodes,
 * images and runs are asked for when TAB is pressed, and kept for some seconds.
 */
export function bashCompletion(commands: readonly Command[]): string {
  const places = commands.map(commandPlaces);
  return `# Completions of imaging for bash, made by: imaging completion bash
# eval them in ~/.bashrc, or put them under each command's name where bash-completion looks.

${BASH_RUNTIME}
# What the command $1 takes, into _imaging_options and _imaging_valued.
_imaging_command_options() {
  case $1 in
${places.map(optionsCase).join('\n')}
    *) _imaging_options= _imaging_valued= ;;
  esac
}

# What the value of option $2 of command $1 may be, into _imaging_static and _imaging_kinds.
_imaging_option_value() {
  case "$1 $2" in
${places.flatMap(valueCases).join('\n')}
    *) _imaging_static= _imaging_kinds= ;;
  esac
}

# What the words of command $1 may be, after the word $2.
_imaging_operands() {
  case "$1 $2" in
${places.flatMap(operandCases).join('\n')}
    *) _imaging_static= _imaging_kinds= ;;
  esac
}

# The command's name behind what it is called by.
_imaging_command() {
  case $1 in
    imaging|imaging.js) _imaging_reply= ;;
${places.map(({ name, calledBy }) => `    ${calledBy.join('|')}) _imaging_reply=${name} ;;`).join('\n')}
    *) _imaging_reply=$1 ;;
  esac
}

_imaging_commands=${quote(places.map(({ name }) => name).join(' '))}

complete -F _imaging ${callableNames(places).join(' ')}
`;
}

function optionsCase({ name, options }: CommandPlaces): string {
  const all = options.flatMap(({ names }) => names);
  const valued = options.filter(({ value }) => value !== null).flatMap(({ names }) => names);
  return `    ${name}) _imaging_options=${quote(all.join(' '))} _imaging_valued=${quote(` ${valued.join(' ')} `)} ;;`;
}

function valueCases({ name, options }: CommandPlaces): string[] {
  return options.flatMap(({ names, value }) =>
    value === null || isEmpty(value) ? [] : [`    ${names.map((each) => `"${name} ${each}"`).join('|')}) ${assign(value)} ;;`],
  );
}

function operandCases({ name, operands, takesCommand }: CommandPlaces): string[] {
  const command = takesCommand ? [`    "${name} --") _imaging_static= _imaging_kinds='programs files' ;;`] : [];
  if (!('actions' in operands)) return [...command, ...(isEmpty(operands) ? [] : [`    "${name} "*) ${assign(operands)} ;;`])];
  const after = [...operands.actions].flatMap(([action, place]) =>
    isEmpty(place) ? [] : [`    "${name} ${action}") ${assign(place)} ;;`],
  );
  return [...command, ...after, `    "${name} ") ${assign({ words: [...operands.actions.keys()], kinds: [] })} ;;`];
}

function isEmpty({ words, kinds }: Place): boolean {
  return words.length === 0 && kinds.length === 0;
}

function assign({ words, kinds }: Place): string {
  return `_imaging_static=${quote(words.join(' '))} _imaging_kinds=${quote(kinds.join(' '))}`;
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
