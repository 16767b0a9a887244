import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, mkdirSync, realpathSync, symlinkSync, writeFileSync } from 'node:fs';
import { basename, delimiter, join } from 'node:path';
import { UserError } from '../util/errors.js';
import type { Host } from '../util/host.js';
import { MOUNTS } from './proc-files.js';
import { DISK_DEVICE } from './ramdisk.js';

/** A shell on this machine that sessions use, found once per testbed. */
export type ShellProgram = {
  command: string;
  args: string[];
  /** The folder that is the whole PATH of a session. */
  toolbox: string;
  /** The folder of programs that are called through functions of the library alone. */
  diskTools: string;
  /** A file of functions every session reads first. */
  library: string;
};

export type ShellCandidate = readonly [name: string, args: string[]];

/** Interactive on pipes, so that it says when it wants a line; no start-up files, history or line editing of its own. */
const CANDIDATES: readonly ShellCandidate[] = [
  ['bash', ['--norc', '--noprofile', '--noediting', '+o', 'history', '-i']],
  ['busybox', ['sh', '-i']],
  ['dash', ['-i']],
  ['sh', ['-i']],
];

/** What a session may call by name: nothing that could harm the machine the testbed runs on. */
const TOOLS =
  'cat cksum cut date echo env expr false grep head hostname id ls mkfifo mktemp printf pwd sed seq sha1sum sha256sum md5sum sleep sort stat tail test timeout tr true uname uniq wc';

/** What must never see a device of this machine, and therefore is in no PATH. */
const DISK_TOOLS = 'dd';

/** Stands in the shell's output where it waits for a line; bytes no command prints. */
export const PROMPT_MARK = '\x01\x02?\x02\x01';
/** Where a session's calls to us go. */
export const CALLS_FD = 9;

/**
 * `frisbee`, `imagezip`, `nc`, `mount`, `umount` and `mkdir` as functions of the shell, so that redirections, pipes and `$?` are the shell's own.
 * The body is a subshell, as an interactive bash announces background jobs of its own. 8 and 6 are the call's error and
 * output ends: opened before `run`, so that nothing can be missed.
 */
const LIBRARY = `
__imaging_call() (
  __d=$(mktemp -d "$IMAGING_CALLS/XXXXXX") && mkfifo "$__d/in" "$__d/out" "$__d/err" || exit 126
  printf '%s\\0' "$@" >"$__d/args"
  echo "open $__d" >&${CALLS_FD}
  {
    cat <&8 >&2 & __e=$!
    __i=
    case $__in in yes) cat <&7 >"$__d/in" & __i=$! ;; esac
    echo "run $__d" >&${CALLS_FD}
    cat <&6
    wait "$__e" 2>/dev/null
    case $__i in ?*) kill -PIPE "$__i" 2>/dev/null; wait "$__i" 2>/dev/null ;; esac
  } 7<&0 8<"$__d/err" 6<"$__d/out"
  read -r __r <"$__d/status" || __r=141
  exit "$__r"
)
frisbee() { __in=no; __imaging_call frisbee "$@" </dev/null; }
imagezip() { __in=no; __imaging_call imagezip "$@" </dev/null; }
nc() { __in=yes; __imaging_call nc "$@"; }
mount() { __in=no; __imaging_call mount "$IMAGING_CALLS" "$@" </dev/null; }
umount() { __in=no; __imaging_call umount "$IMAGING_CALLS" "$@" </dev/null; }
mkdir() { __in=no; __imaging_call mkdir "$IMAGING_CALLS" "$@" </dev/null; }
cat() {
  case "$*" in
    /proc/uptime) set -- "$(( $(date +%s) - IMAGING_BOOTED )).00"; echo "$1 $1" ;;
    /proc/mounts) echo '${MOUNTS}' ;;
    *) __imaging_disk cat "$@" ;;
  esac
}
# runs a program with the file that is the node's disk in place of its device, which only zeros are written to; no other device is there
__imaging_disk() {
  __n=$1; shift
  __z=
  case " $* " in *' if=/dev/zero '*) __z="of=$IMAGING_DISK" ;; esac
  __c=$#
  while [ "$__c" -gt 0 ]; do
    __a=$1; shift
    case $__a in
      ${DISK_DEVICE}) __a=$IMAGING_DISK ;;
      if=${DISK_DEVICE}) __a="if=$IMAGING_DISK" ;;
      of=${DISK_DEVICE})
        case $__z in '') echo "\${__n##*/}: can't open '\${__a#of=}': Read-only file system" >&2; return 1 ;; esac
        __a=$__z ;;
      of=/dev/null|if=/dev/null|/dev/null|if=/dev/zero|/dev/zero|/dev/shm/*) ;;
      of=*) echo "\${__n##*/}: can't open '\${__a#of=}': Read-only file system" >&2; return 1 ;;
      if=/dev/*|/dev/*) echo "\${__n##*/}: can't open '\${__a#if=}': No such file or directory" >&2; return 1 ;;
    esac
    set -- "$@" "$__a"
    __c=$((__c - 1))
  done
  command "$__n" "$@"
}
dd() { __imaging_disk "$IMAGING_TOOLS/dd" "$@"; }
head() { __imaging_disk head "$@"; }
tail() { __imaging_disk tail "$@"; }
wc() { __imaging_disk wc "$@"; }
cksum() { __imaging_disk cksum "$@"; }
md5sum() { __imaging_disk md5sum "$@"; }
sha1sum() { __imaging_disk sha1sum "$@"; }
sha256sum() { __imaging_disk sha256sum "$@"; }
sync() { :; }
blockdev() {
  case "$*" in
    '--flushbufs ${DISK_DEVICE}') ;;
    '--getss ${DISK_DEVICE}') echo 512 ;;
    '--getsz ${DISK_DEVICE}') echo "$(( $(stat -c %s "$IMAGING_DISK") / 512 ))" ;;
    *) echo "blockdev: $*: not known here" >&2; return 1 ;;
  esac
}
case $BASH_VERSION in ?*)
  set +o monitor
  set +H
  eval 'exit() { builtin exit "$@" 2>/dev/null; }' # other shells would not even read that
esac
`;

/** Finds a shell and fills `dir` with what sessions need. Throws a UserError (environment) when there is no shell. */
export function findShell(host: Host, dir: string, candidates: readonly ShellCandidate[] = CANDIDATES): ShellProgram {
  const folders = (host.env.PATH ?? '/usr/bin:/bin').split(delimiter).filter((folder) => folder.startsWith('/'));
  const find = (name: string): string | undefined => folders.map((folder) => join(folder, name)).find(isExecutable);
  const found = candidates.map(([name, args]) => ({ command: find(name), args })).find(({ command }) => command !== undefined);
  if (found?.command === undefined)
    throw new UserError('environment', 'no shell (bash, busybox, dash or sh) in PATH', 'use the built-in one: --shell builtin');
  const toolbox = join(dir, 'toolbox');
  mkdirSync(toolbox, { recursive: true });
  for (const name of TOOLS.split(' ')) {
    const path = find(name);
    if (path !== undefined && !existsSync(join(toolbox, name))) symlinkSync(path, join(toolbox, name));
  }
  const diskTools = join(dir, 'disk-tools');
  mkdirSync(diskTools, { recursive: true });
  for (const name of DISK_TOOLS.split(' ')) {
    const path = find(name);
    if (path !== undefined && !existsSync(join(diskTools, name))) symlinkSync(path, join(diskTools, name));
  }
  const library = join(dir, 'shell-library.sh');
  writeFileSync(library, LIBRARY + withoutApplets(found.command));
  return { command: found.command, args: found.args, toolbox, diskTools, library };
}

/** busybox finds its own programs before PATH, mount and reboot among them: all that is not in the toolbox is taken away. */
function withoutApplets(command: string): string {
  if (basename(realpathSync(command)) !== 'busybox') return '';
  const { stdout } = spawnSync(realpathSync(command), ['--list'], { encoding: 'latin1' });
  const kept = new Set([...TOOLS.split(' '), ...SHELL_NAMES.split(' ')]);
  const absent = stdout.split('\n').filter((name) => /^[a-z0-9._-]+$/i.test(name) && !kept.has(name));
  const aliases = absent.map((name) => `alias ${name}='__absent ${name}'\n`);
  return `__absent() { echo "sh: $1: not found" >&2; return 127; }\n${aliases.join('')}`;
}

/** Names that mean something else than an applet: builtins, and the functions above. */
const SHELL_NAMES = 'kill read sh ash test true false echo printf pwd wait frisbee imagezip nc dd sync blockdev mount umount mkdir';

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
