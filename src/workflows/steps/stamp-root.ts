import { isStampLine } from '../../images/stamp.js';
import type { TelnetSession } from '../../telnet/session.js';
import { printable } from '../../util/text.js';
import { fail } from '../failures.js';

/** Where on a node the stamp goes; both are plain words for a shell. */
export type StampPlace = { rootPartition: string; mountPoint: string };

export type StampResult = {
  /** The last line of the stamp that was there before: what the node ran. */
  base: string | null;
  /** The line that was added; null when that did not work. */
  line: string | null;
  /** Why it did not, with what the node said. */
  problem: string | null;
};

export type StampOptions = {
  node: string;
  place: StampPlace /** The line to add, given the base. */;
  lineFor: (base: string | null) => string;
  signal: AbortSignal;
  silenceTimeoutMs: number;
};

/** As much of a line as goes into one command; a shell may cut what is longer than 1023 bytes. */
const PIECE_BYTES = 600;
/** More than any name and comment make. */
const MAX_BASE_CHARS = 4000;
/** Ours, and that of an earlier tool, which sites may still read: it is added to only where it is there. */
const [OURS, OLDER] = ['etc/imaging-image', 'etc/rhubarbe-image'];

/**
 * Mounts a node's root partition in the ramdisk, adds one line to its etc/imaging-image, and unmounts it. Whatever does not
 * work is told in the result; only a partition that stays mounted is a Failure `root-still-mounted`, as the image would not
 * be sound, and what the telnet session throws.
 */
export async function stampRoot(telnet: TelnetSession, options: StampOptions): Promise<StampResult> {
  const {
    node,
    place: { rootPartition, mountPoint },
    signal,
  } = options;
  const shell = remoteShell(telnet, options);
  const mounting = await shell(`{ [ -d ${mountPoint} ] || mkdir -p ${mountPoint} ; } && mount ${rootPartition} ${mountPoint}`);
  if (mounting.status !== 0) return { base: null, line: null, problem: `${rootPartition} could not be mounted: ${mounting.lastWords}` };
  const work = addLine(shell, mountPoint, options.lineFor);
  const result = await work.catch(async (error: unknown) => {
    if (!signal.aborted) await shell(`umount ${mountPoint}`).catch(() => undefined); // the session may be gone
    throw error;
  });
  const unmounting = await shell(`umount ${mountPoint}`);
  if (unmounting.status === 0) return result;
  throw fail(
    'root-still-mounted',
    `${node}: ${rootPartition} cannot be unmounted (${unmounting.lastWords}), and an image of a disk in use is not sound`,
    'set frisbee.root_partition to none to save without a stamp',
  );
}

async function addLine(shell: RemoteShell, mountPoint: string, lineFor: StampOptions['lineFor']): Promise<StampResult> {
  const file = `${mountPoint}/${OURS}`;
  const older = `${mountPoint}/${OLDER}`;
  const { lines } = await shell(`tail -n 1 ${file} 2>/dev/null || tail -n 1 ${older} 2>/dev/null`);
  const base = lines.filter(isStampLine).at(-1)?.slice(0, MAX_BASE_CHARS) ?? null;
  const line = lineFor(base);
  for (const command of assignments(line)) await shell(command);
  const writing = await shell(`printf '%b\\n' "$imaging_line" >> ${file}`);
  if (writing.status !== 0) return { base, line: null, problem: `${OURS} could not be written: ${writing.lastWords}` };
  const alsoWriting = await shell(`[ ! -e ${older} ] || printf '%b\\n' "$imaging_line" >> ${older}`);
  return { base, line, problem: alsoWriting.status === 0 ? null : `${OLDER} could not be written: ${alsoWriting.lastWords}` };
}

/**
 * Commands that put a text, in the form that printf's %b takes, into the shell's variable imaging_line. They hold printable
 * ASCII only: a shell that edits its input line might do something of its own with any other byte.
 */
export function assignments(text: string): string[] {
  const units = [...Buffer.from(text)].map((byte) =>
    byte < 0x20 || byte > 0x7e || byte === QUOTE || byte === BACKSLASH
      ? `\\0${byte.toString(8).padStart(3, '0')}`
      : String.fromCharCode(byte),
  );
  const pieces = [''];
  for (const unit of units) {
    if ((pieces.at(-1) ?? '').length + unit.length > PIECE_BYTES) pieces.push('');
    pieces.push((pieces.pop() ?? '') + unit);
  }
  return pieces.map((piece, index) => `imaging_line=${index === 0 ? '' : '"$imaging_line"'}'${piece}'`);
}

const QUOTE = 0x27;
const BACKSLASH = 0x5c;

type RemoteShell = (command: string) => Promise<{ status: number; lines: string[]; lastWords: string }>;

/** Runs one command at a time and gives what it printed, without its own echo. */
function remoteShell(telnet: TelnetSession, { signal, silenceTimeoutMs }: StampOptions): RemoteShell {
  return async (command) => {
    const lines: string[] = [];
    const onLine = (line: string): void => {
      const text = printable(line).trim();
      // an echo that a narrow terminal has broken comes in pieces
      if (text !== '' && !command.includes(text.replace(/^\S* ?[#$] /, ''))) lines.push(text);
    };
    const { status } = await telnet.run(command, { signal, silenceTimeoutMs, onLine });
    const lastWord = lines.at(-1);
    return { status, lines, lastWords: lastWord === undefined ? `status ${status}` : lastWord.slice(0, 200) };
  };
}
