import type { Command } from '../command.js';
import { callableNames, commandPlaces, type CommandPlaces, type Place } from './model.js';

/**
 * Completions for bash, without the package bash-completion. What the table knows is in the script; names of nodes,
 * images and runs are asked for when TAB is pressed, and kept for some seconds.
 */
export function bashCompletion(commands: readonly Command[]): string {
  const places = commands.map(commandPlaces);
  return `# Completions of imaging for bash, made by: imaging completion bash
# eval them in ~/.bashrc, or put them under each command's name where bash-completion looks.

${RUNTIME}
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
  return options.flatMap(({ names, value }) => (value === null || isEmpty(value) ? [] : [`    ${names.map((each) => `"${name} ${each}"`).join('|')}) ${assign(value)} ;;`]));
}

function operandCases({ name, operands, takesCommand }: CommandPlaces): string[] {
  const command = takesCommand ? [`    "${name} --") _imaging_static= _imaging_kinds='programs files' ;;`] : [];
  if (!('actions' in operands)) return [...command, ...(isEmpty(operands) ? [] : [`    "${name} "*) ${assign(operands)} ;;`])];
  const after = [...operands.actions].flatMap(([action, place]) => (isEmpty(place) ? [] : [`    "${name} ${action}") ${assign(place)} ;;`]));
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

const RUNTIME = String.raw`# The names of kind $1 there are now, one a line, into _imaging_reply.
_imaging_lookup() {
  local key="$1 $PWD \${IMAGING_CONFIG-}"
  local -n kept="_imaging_kept_$1"
  if [ "\${kept[0]-}" != "$key" ] || [ $((SECONDS - \${kept[1]:-0})) -gt 10 ]; then
    kept=("$key" "$SECONDS" "$(command imaging completion --words "$1" 2>/dev/null)")
  fi
  _imaging_reply=\${kept[2]}
}

# Completes $2, before which stands $1: with the words of _imaging_static and those of _imaging_kinds.
_imaging_offer() {
  local before=$1 typed=$2 kind word head
  for word in $_imaging_static; do
    if [[ $word == "$typed"* ]]; then COMPREPLY+=("$before$word"); fi
  done
  for kind in $_imaging_kinds; do
    case $kind in
      files)
        # where a bare name means an image, files of the current folder would drown them
        if [ "$_imaging_kinds" != files ] && [[ $typed != */* ]] && [ \${#COMPREPLY[@]} -gt 0 ]; then continue; fi
        while IFS= read -r word; do [ -n "$word" ] && COMPREPLY+=("$before$word"); done < <(compgen -f -- "$typed")
        compopt -o filenames 2>/dev/null
        ;;
      folders)
        while IFS= read -r word; do [ -n "$word" ] && COMPREPLY+=("$before$word"); done < <(compgen -d -- "$typed")
        compopt -o filenames 2>/dev/null
        ;;
      programs) while IFS= read -r word; do [ -n "$word" ] && COMPREPLY+=("$before$word"); done < <(compgen -c -- "$typed" | sort -u) ;;
      *)
        head=
        # the last piece of 1-3,~fit0
        if [ "$kind" = nodes ]; then head=\${typed%"\${typed##*[,~]}"}; fi
        _imaging_lookup "$kind"
        while IFS= read -r word; do
          if [ -n "$word" ] && [[ $word == "\${typed#"$head"}"* ]]; then COMPREPLY+=("$before$head$word"); fi
        done <<<"$_imaging_reply"
        ;;
    esac
  done
}

_imaging() {
  # bash cuts words at = : @ as well: the line itself is cut at blanks alone
  local line=\${COMP_LINE:0:COMP_POINT} command typed previous first= index skip=
  local -a words
  local _imaging_reply _imaging_options _imaging_valued _imaging_static _imaging_kinds
  read -r -a words <<<"$line"
  typed=
  if [ "\${line%[[:blank:]]}" = "$line" ]; then typed=\${words[\${#words[@]}-1]}; unset "words[\${#words[@]}-1]"; fi
  COMPREPLY=()
  if [ \${#words[@]} -eq 0 ]; then return; fi
  _imaging_command "\${words[0]##*/}"
  command=$_imaging_reply
  index=1
  if [ -z "$command" ]; then
    if [ \${#words[@]} -eq 1 ]; then
      _imaging_static="$_imaging_commands help version" _imaging_kinds=
      _imaging_offer '' "$typed"
      return
    fi
    command=\${words[1]}
    index=2
    if [ "$command" = help ]; then _imaging_static=$_imaging_commands _imaging_kinds=; _imaging_offer '' "$typed"; return; fi
  fi
  _imaging_command_options "$command"
  previous=
  for ((; index < \${#words[@]}; index++)); do
    previous=\${words[index]}
    if [ "$first" = -- ]; then previous=; continue; fi
    if [ -n "$skip" ]; then skip= previous=; continue; fi
    case $previous in
      --) first=-- ;;
      -*) if [[ $_imaging_valued == *" $previous "* ]]; then skip=1; fi ;;
      *) if [ -z "$first" ]; then first=$previous; fi ;;
    esac
  done
  if [ -n "$skip" ]; then
    _imaging_option_value "$command" "$previous"
    _imaging_offer '' "$typed"
  elif [[ $typed == --*=* ]] && [ "$first" != -- ]; then
    _imaging_option_value "$command" "\${typed%%=*}"
    _imaging_offer "\${typed%%=*}=" "\${typed#*=}"
  elif [[ $typed == -* ]] && [ "$first" != -- ]; then
    _imaging_static=$_imaging_options _imaging_kinds=
    _imaging_offer '' "$typed"
  else
    _imaging_operands "$command" "$first"
    _imaging_offer '' "$typed"
  fi
  _imaging_cut "$typed"
}

# Takes off what bash takes for words of their own: what is typed up to the last = : or @.
_imaging_cut() {
  local breaks= char cut
  for char in = : @; do if [[ $COMP_WORDBREAKS == *"$char"* ]]; then breaks+=$char; fi; done
  if [ -z "$breaks" ] || [ \${#COMPREPLY[@]} -eq 0 ]; then return; fi
  cut=\${1%"\${1##*[$breaks]}"}
  COMPREPLY=("\${COMPREPLY[@]#"$cut"}")
}
`.replaceAll('\\${', '${');
