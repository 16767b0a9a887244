/**
 * What the completions of bash have besides the tables. bash hands the line over as it stands, and puts what it is offered
 * into the line as it is: so the line is read here as the shell will read it, and names are quoted for where they go.
 */
export const BASH_RUNTIME = String.raw`# The names of kind $1 there are now, one a line, into _imaging_reply.
_imaging_lookup() {
  local key="$1 $PWD \${IMAGING_CONFIG-}"
  local -n kept="_imaging_kept_$1"
  if [ "\${kept[0]-}" != "$key" ] || [ $((SECONDS - \${kept[1]:-0})) -gt 10 ]; then
    kept=("$key" "$SECONDS" "$(command imaging completion --words "$1" 2>/dev/null)")
  fi
  _imaging_reply=\${kept[2]}
}

# Reads the line $1 as the shell will: its words into words, what of them is typed at the cursor into typed (none: empty), both
# without quotes; the quote that is open there into quote; and into fixed what of typed readline will not replace: what stands
# before that quote, or else before the last character that cuts words for it.
_imaging_read() {
  local rest=$1 piece pattern started= before closed=
  local plain=$'^[^\'"\\ \t\n]+' single=$'^[^\']+' double='^[^"\\]+'
  words=() typed= quote= fixed=
  while [ -n "$rest" ]; do
    case $quote in "'") pattern=$single ;; '"') pattern=$double ;; *) pattern=$plain ;; esac
    if [[ $rest =~ $pattern ]]; then
      piece=\${BASH_REMATCH[0]} started=1
      before=
      if [ -z "$quote" ]; then before=\${piece%"\${piece##*["$_imaging_breaks"]}"}; fi
      # of these, readline takes an @ into the word
      if [ -n "$before" ]; then fixed=$typed\${before%@}; fi
      typed+=$piece
    elif [ "\${rest:0:1}" = "$quote" ]; then
      piece=$quote quote= fixed=$closed
    elif [ "\${rest:0:1}" = "\\" ]; then
      piece=\${rest:0:2} started=1
      # in double quotes most backslashes are themselves
      if [ "$quote" = '"' ] && [[ $piece != "\\"["\\\"\$\`"] ]]; then typed+=$piece; else typed+=\${piece:1}; fi
    elif [[ $rest == [\'\"]* ]]; then
      piece=\${rest:0:1} quote=\${rest:0:1} started=1
      closed=$fixed fixed=$typed
    else
      piece=\${rest:0:1}
      if [ -n "$started" ]; then words+=("$typed"); fi
      typed= started= fixed=
    fi
    rest=\${rest:\${#piece}}
  done
}

# Quotes $1 for where quote says it goes, behind $2, into _imaging_reply.
_imaging_quote() {
  local text=$1 last=\${2: -1} char out= i
  case $quote in
    "'")
      out=\${text//"'"/"'\\''"}
      # readline closes the quote, but not behind another
      if [[ $text == *"'" ]]; then out=\${out%"'"}; fi
      ;;
    '"')
      for ((i = 0; i < \${#text}; i++)); do
        char=\${text:i:1}
        case $char in
          ["\\\"\$\`"]) out+="\\$char" ;;
          # history is expanded in these quotes too, and a backslash before it would stay
          '!') out+="\"'!'\"" ;;
          *) out+=$char ;;
        esac
      done
      if [[ $out == *'"' ]]; then out+='"'; fi
      ;;
    *)
      for ((i = 0; i < \${#text}; i++)); do
        char=\${text:i:1}
        # a ~ behind the comma of 1-3,~fit02 is no home folder
        if [[ $char == [[:alnum:]_./@%+:=,^-] || $last$char == ,~ ]]; then out+=$char; else out+="\\$char"; fi
        last=$char
      done
      ;;
  esac
  _imaging_reply=$out
}

# The files that begin with $1, each with the slash $2 when only folders are meant, into COMPREPLY behind $3.
_imaging_paths() {
  local from=$1 home= word
  if [[ $from == "~/"* ]]; then home=\${HOME%/} from=$home\${from:1}; fi
  while IFS= read -r -d '' word; do
    if [ -z "$word" ]; then continue; fi
    if [ -n "$2" ]; then word=\${word%/}; fi
    if [ -n "$home" ]; then word="~\${word#"$home"}"; fi
    COMPREPLY+=("$3$word")
  done < <(set +f; shopt -s nullglob; shopt -u failglob dotglob nocaseglob; GLOBIGNORE=; printf '%s\0' "$from"*$2)
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
        _imaging_paths "$typed" '' "$before"
        if compopt -o filenames 2>/dev/null; then readline_quotes=1; fi
        ;;
      folders)
        _imaging_paths "$typed" / "$before"
        if compopt -o filenames 2>/dev/null; then readline_quotes=1; fi
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

# Makes of the words of COMPREPLY what is to stand in the line in place of what readline takes away.
_imaging_place() {
  local word offered=("\${COMPREPLY[@]}")
  COMPREPLY=()
  for word in "\${offered[@]}"; do
    # such a name would be taken for an option
    if [[ $word == -* && -z $takes_dash ]]; then continue; fi
    _imaging_reply=\${word#"$fixed"}
    if [ -z "$readline_quotes" ]; then _imaging_quote "$_imaging_reply" "$fixed"; fi
    COMPREPLY+=("$_imaging_reply")
  done
}

_imaging() {
  local typed quote fixed readline_quotes= takes_dash= _imaging_breaks=\${COMP_WORDBREAKS//[[:space:]\'\"]/}
  local -a words
  local _imaging_reply _imaging_options _imaging_valued _imaging_static= _imaging_kinds=
  COMPREPLY=()
  # bash cuts words at = : @ as well: the line itself is cut at blanks alone
  _imaging_read "\${COMP_LINE:0:COMP_POINT}"
  if [ \${#words[@]} -eq 0 ]; then return; fi
  _imaging_complete
  if [ \${#COMPREPLY[@]} -gt 0 ]; then _imaging_place; fi
}

# Offers words for typed, which comes after words.
_imaging_complete() {
  local command previous first= index=1 skip=
  _imaging_command "\${words[0]##*/}"
  command=$_imaging_reply
  if [ -z "$command" ]; then
    if [ \${#words[@]} -eq 1 ]; then
      _imaging_static="$_imaging_commands help version"
      _imaging_offer '' "$typed"
      return
    fi
    command=\${words[1]}
    index=2
    if [ "$command" = help ]; then _imaging_static=$_imaging_commands; _imaging_offer '' "$typed"; return; fi
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
    takes_dash=1
    _imaging_option_value "$command" "\${typed%%=*}"
    _imaging_offer "\${typed%%=*}=" "\${typed#*=}"
  elif [[ $typed == -* ]] && [ "$first" != -- ]; then
    takes_dash=1 _imaging_static=$_imaging_options _imaging_kinds=
    _imaging_offer '' "$typed"
  else
    if [ "$first" = -- ]; then takes_dash=1; fi
    _imaging_operands "$command" "$first"
    _imaging_offer '' "$typed"
  fi
}
`.replaceAll('\\${', '${');
