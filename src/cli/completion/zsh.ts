import type { Command } from '../kit/command.js';
import { callableNames, commandPlaces, type CommandPlaces, type OptionPlace, type Place } from './model.js';

/** Completions for zsh, with descriptions: a file for a folder of fpath, which may be eval'ed after compinit as well. */
export function zshCompletion(commands: readonly Command[]): string {
  const places = commands.map(commandPlaces);
  const callable = callableNames(places);
  return `#compdef ${callable.join(' ')}
# Completions of imaging for zsh, made by: imaging completion zsh

${RUNTIME}
_imaging_of() {
  case $1 in
${places.map(commandCase).join('\n')}
  esac
}

_imaging_commands() {
  local -a names
  names=(
${places.map(({ name, summary }) => `    ${quote(`${name}:${summary}`)}`).join('\n')}
  )
  _describe -t commands command names
}

_imaging() {
  local name=\${service:t}
  case $name in
    imaging|imaging.js)
      if (( CURRENT == 2 )); then _imaging_commands; return; fi
      name=$words[2]
      if [[ $name == help ]]; then _imaging_commands; return; fi
      shift words
      (( CURRENT-- ))
      ;;
${places.map(({ name, calledBy }) => `    ${calledBy.join('|')}) name=${name} ;;`).join('\n')}
  esac
  _imaging_of $name
}

if [[ $funcstack[1] == _imaging ]]; then
  _imaging "$@"
else
  compdef _imaging ${callable.join(' ')}
fi
`;
}

function commandCase({ name, options, operands, takesCommand }: CommandPlaces): string {
  const specs = [...options.map(optionSpec), ...operandSpecs(name, operands), ...(takesCommand ? [quote('*::command:_normal')] : [])];
  const actions =
    'actions' in operands
      ? [...operands.actions]
          .filter(([, place]) => place.words.length + place.kinds.length > 0)
          .map(([action, place]) => `        ${name}:${action}) ${actionOf(place)} ;;`)
      : [];
  const rest = actions.length === 0 ? '' : `\n      [[ $state == rest ]] && case ${name}:$line[1] in\n${actions.join('\n')}\n      esac`;
  return `    ${name})\n      local state line\n      _arguments -s -S -C \\\n${specs.map((spec) => `        ${spec}`).join(' \\\n')}${rest}\n      ;;`;
}

/** `'(-i --image)'{-i,--image}'[what it is]:IMAGE:_imaging_images'`, one for each of its names. */
function optionSpec({ names, describe, repeats, value }: OptionPlace): string {
  const others = repeats ? '*' : names.length > 1 ? `(${names.join(' ')})` : '';
  const text = describe.replace(/[[\]\\:]/g, (char) => `\\${char}`);
  const argument = value === null ? '' : `:${value.label.replaceAll(':', '\\:')}:${actionOf(value)}`;
  return names.map((name) => quote(`${others}${name}[${text}]${argument}`)).join(' ');
}

function operandSpecs(name: string, operands: CommandPlaces['operands']): string[] {
  if ('actions' in operands)
    return [
      quote(`1:action:(${[...operands.actions.keys()].join(' ')})`),
      ...([...operands.actions.values()].some(({ kinds }) => kinds.length > 0) ? [quote('*: :->rest')] : []),
    ];
  return operands.words.length + operands.kinds.length === 0 ? [] : [quote(`*:${operands.kinds[0] ?? name}:${actionOf(operands)}`)];
}

/** What zsh is to do for a place; a lone blank: nothing. */
function actionOf({ words, kinds }: Place): string {
  if (kinds.length === 0) return words.length === 0 ? ' ' : `(${words.join(' ')})`;
  return `_imaging_${kinds.join('_or_')}`;
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

const RUNTIME = `_imaging_nodes() {
  # the last piece of 1-3,~fit0
  compset -P '*[,~]'
  _imaging_lookup nodes
}
_imaging_images() { _imaging_lookup images }
_imaging_runs() { _imaging_lookup runs }
_imaging_files() { _files }
_imaging_folders() { _files -/ }
_imaging_runs_or_nodes() { _alternative 'runs:run:_imaging_runs' 'nodes:node:_imaging_nodes' }
# where a bare name means an image, files of the current folder would drown them
_imaging_images_or_files() {
  if [[ $PREFIX == */* ]]; then _files; else _imaging_images || _files; fi
}

_imaging_lookup() {
  local -a names
  # compadd quotes them
  names=(\${(f)"$(_call_program $1 command imaging completion --words $1 2>/dev/null)"})
  compadd -a names
}
`;
