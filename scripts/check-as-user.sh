#!/usr/bin/env bash
# What the README asks a newcomer to do, as one: an ordinary user with a HOME of its own clones the repository, runs `npm test`
# and `npm run demo` in the clone, and nothing is left but what git ignores. As root it makes that user, and takes it away again.
#   check-as-user.sh [REPORT [ARGUMENT of npm test ...]]    REPORT: where vitest's report (JSON) goes, when the tests have run
# Says why and ends well, without a report, where it cannot run. No credentials get into the project: npm's settings reach
# the user as the environment and as a copy of ~/.npmrc in the temporary HOME, for that user alone.
set -euo pipefail
cd "$(dirname "$0")/.."
repository=$PWD
report=${1-}
shift || true
skip() { echo "as an ordinary user: skipped: $*"; exit 0; }

for program in git npm node tar; do command -v "$program" >/dev/null || skip "there is no $program"; done
export GIT_CONFIG_GLOBAL=/dev/null
commit=$(git -c safe.directory='*' rev-parse HEAD 2>/dev/null) || skip 'this is no git checkout'
if [ -n "$(git -c safe.directory='*' status --porcelain)" ]; then echo 'as an ordinary user: what is not committed is not tried'; fi

user=
folder=$(mktemp -d)
cleanup() {
  trap - EXIT INT TERM HUP
  if [ -n "$user" ]; then
    pkill -KILL -U "$user" 2>/dev/null || true # what a failed test may have left: all of this user is ours
    userdel "$user" >/dev/null 2>&1 || echo "as an ordinary user: cannot remove the user $user" >&2
  fi
  rm -rf --one-file-system "$folder"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
trap 'exit 129' HUP

as_user=()
if [ "$(id -u)" = 0 ]; then
  for program in useradd userdel setpriv pkill; do command -v "$program" >/dev/null || skip "there is no $program to make one with"; done
  name=imaging-ci-$$
  useradd --no-create-home --home-dir "$folder/home" --shell /bin/bash "$name" 2>"$folder/useradd" || skip "none can be made: $(tail -1 "$folder/useradd")"
  user=$name
  as_user=(setpriv --reuid "$user" --regid "$(id -g "$user")" --init-groups --inh-caps=-all)
fi
chmod 755 "$folder"
mkdir -m 700 "$folder/home" "$folder/tmp"

# npm: the settings and the cache of whoever runs this
userconfig=$(npm config get userconfig)
if [ -f "$userconfig" ]; then install -m 600 "$userconfig" "$folder/home/.npmrc"; fi
cache=$(npm config get cache)
mkdir -m 700 "$folder/home/.npm"
if [ -d "$cache/_cacache" ] && [ "$(du -sm "$cache/_cacache" | cut -f1)" -lt 1024 ]; then cp -r --reflink=auto "$cache/_cacache" "$folder/home/.npm/_cacache"; fi

# git reads a repository of others only when its user's settings say so, and gives the processes it starts no others
printf '[safe]\n\tdirectory = *\n' >"$folder/gitconfig"
GIT_CONFIG_GLOBAL=$folder/gitconfig git clone --quiet "$repository" "$folder/imaging"
git -C "$folder/imaging" checkout --quiet --detach "$commit"
if [ -n "$user" ]; then chown -R "$user:" "$folder/home" "$folder/tmp" "$folder/imaging"; fi

ordinary() {
  (
    cd "$folder/imaging"
    exec "${as_user[@]}" env -u XDG_RUNTIME_DIR -u XDG_CONFIG_HOME -u XDG_STATE_HOME -u XDG_CACHE_HOME -u SUDO_USER -u SUDO_UID -u SUDO_GID -u MAIL \
      HOME="$folder/home" USER="${user:-$(id -un)}" LOGNAME="${user:-$(id -un)}" TMPDIR="$folder/tmp" \
      npm_config_userconfig="$folder/home/.npmrc" npm_config_cache="$folder/home/.npm" npm_config_prefer_offline=true npm_config_update_notifier=false "$@"
  )
}
ordinary node --version >/dev/null 2>&1 || skip 'it could not run the node of this machine'

code=0
ordinary npm test -- --reporter=default --reporter=json --outputFile.json="$folder/tmp/report.json" "$@" &
wait "$!" || code=$? # in the background, so that a signal is heard at once
if [ -n "$report" ] && [ -f "$folder/tmp/report.json" ]; then sed "s|$folder/imaging/||g" "$folder/tmp/report.json" >"$report"; fi
[ "$code" = 0 ] || { echo "as an ordinary user: npm test failed ($code)" >&2; exit 1; }
ordinary npm run demo || { echo 'as an ordinary user: npm run demo failed' >&2; exit 1; }
left=$(ordinary git status --porcelain)
[ -z "$left" ] || { printf 'as an ordinary user: npm test or npm run demo left in the clone:\n%s\n' "$left" >&2; exit 1; }
echo 'as an ordinary user: ok'
