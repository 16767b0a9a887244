# shellcheck shell=bash
# Shell functions that set and show NODES, the nodes that imaging's commands work on when none is given.
# Source it from ~/.bashrc:    . /path/to/imaging.sh
#
#   nodes [-a] [spec ...]    set NODES to what the specs mean (nodes 1-12 ~4); without any, show it
#   nodes+ spec ...          add to NODES
#   nodes- spec ...          take out of NODES
#   all-nodes                set NODES to all nodes: ALL_NODES, or testbed.all_scope of the configuration
#   show-nodes-on [spec ...] print those that are switched on, of the specs or of NODES
#   focus-nodes-on [spec ...] set NODES to them
#
# Every function has the exit code of the imaging command it asked, and leaves NODES alone when that could not say.
# When some power cards did not answer (exit code 1), show-nodes-on and focus-nodes-on still go by those that did.

if [ -z "${BASH_VERSION-}" ]; then
  echo 'imaging.sh: these functions need bash' >&2
  return 4 2>/dev/null || exit 4
fi

nodes() {
  local names
  if [ $# -gt 0 ]; then
    names=$(imaging-nodes "$@") || return
    _imaging_set_nodes "$names"
  fi
  _imaging_show_nodes
}

nodes+() {
  if [ -n "${NODES-}" ]; then
    local -a now
    IFS=$' \t\n' read -r -d '' -a now <<<"$NODES" || :
    nodes "${now[@]}" "$@"
  else
    nodes "$@"
  fi
}

nodes-() {
  local word
  local -a out=()
  # ~ takes out one piece, and a word may hold several
  for word in "$@"; do out+=("~${word//,/,\~}"); done
  if [ -n "${NODES-}" ] && [ $# -gt 0 ]; then nodes+ "${out[@]}"; else nodes; fi
}

all-nodes() {
  nodes -a
}

show-nodes-on() {
  local names code=0
  names=$(_imaging_nodes_on "$@") || code=$?
  if [ -n "$names" ]; then printf '%s\n' "$names"; fi
  return "$code"
}

focus-nodes-on() {
  local names code=0
  names=$(_imaging_nodes_on "$@") || code=$?
  if [ "$code" -gt 1 ]; then return "$code"; fi
  _imaging_set_nodes "$names"
  _imaging_show_nodes
  return "$code"
}

# Prints the names of the nodes that are on, on one line. imaging-status prints reboot07:on, a line per card.
_imaging_nodes_on() {
  local answers name state code=0
  local -a on=()
  answers=$(imaging-status "$@") || code=$?
  if [ "$code" -gt 1 ]; then return "$code"; fi
  while IFS=: read -r name state; do
    if [ "$state" = on ]; then on+=("$name"); fi
  done <<<"$answers"
  # imaging-nodes turns the names of cards into those of nodes
  if [ "${#on[@]}" -gt 0 ]; then imaging-nodes "${on[@]}" || return; fi
  return "$code"
}

_imaging_set_nodes() {
  export NODES="$1"
  local -a list
  IFS=$' \t\n' read -r -d '' -a list <<<"$1" || :
  export NBNODES="${#list[@]}"
}

_imaging_show_nodes() {
  if [ -z "${NODES+set}" ]; then
    echo '# NODES is not set'
    return 0
  fi
  local -a list
  IFS=$' \t\n' read -r -d '' -a list <<<"$NODES" || :
  printf 'export NODES="%s"\nexport NBNODES=%s\n' "$NODES" "${#list[@]}"
}
