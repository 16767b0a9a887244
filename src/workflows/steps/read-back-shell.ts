import { createDigest, DIGEST_NAMES, type DigestName, readPieces, type ByteRange, type DigestGroup } from '../../disk/digest.js';
import { MAX_COMMAND_BYTES, type TelnetSession } from '../../telnet/session.js';
import { fail } from '../failures.js';

const EMPTY = DIGEST_NAMES.map((name) => ({ name, ofNothing: createDigest(name).finish() }));
/** How each program prints its digest, wherever in the line: a prompt may stand before it. */
const PRINTED: Record<DigestName, RegExp> = {
  sha1: /(?:^|[^0-9a-f])([0-9a-f]{40})(?:\s|$)/,
  sha256: /(?:^|[^0-9a-f])([0-9a-f]{64})(?:\s|$)/,
  md5: /(?:^|[^0-9a-f])([0-9a-f]{32})(?:\s|$)/,
  cksum: /(?:^|[^\w.=])(\d{1,10} \d+)\s*$/,
};
const MISSING_STATUS = 127;

/** The program that makes a digest, by the name of that. */
function programOf(name: DigestName): string {
  return name === 'cksum' ? name : `${name}sum`;
}

/** How many reads fit into one line of shell with a device of this name. */
export function maxPiecesPerLine(device: string): number {
  return Math.max(4, Math.floor((MAX_COMMAND_BYTES - 60) / (device.length + 52)));
}

/**
 * Reads a node's disk back in its own shell, with `dd` and one of sha1sum, sha256sum, md5sum and cksum. Nothing else is
 * asked of the shell than pipes and braces. Each line is short enough for the line editing of an old busybox, which cuts
 * longer ones without a word, and its digests are told from its echo by their form and number. Rejects as
 * `TelnetSession.run` does, or with a Failure `verify-failed`.
 */
export class ReadBackShell {
  readonly #telnet: TelnetSession;
  readonly #device: string;
  readonly #options: { signal: AbortSignal; silenceTimeoutMs: number };

  /** `device`: of plain characters, as the configuration has checked. */
  constructor(telnet: TelnetSession, device: string, options: { signal: AbortSignal; silenceTimeoutMs: number }) {
    this.#telnet = telnet;
    this.#device = device;
    this.#options = options;
  }

  /** The first digest program there is and that knows the digest of nothing; null when there is none. */
  async findDigest(): Promise<DigestName | null> {
    const { lines } = await this.#run(EMPTY.map(({ name }) => `${programOf(name)} </dev/null 2>/dev/null`).join(' || '));
    return EMPTY.find(({ name, ofNothing }) => lines.some((line) => PRINTED[name].exec(line)?.[1] === ofNothing))?.name ?? null;
  }

  /** Whether the shell has dd and the disk can be read at all: null when it can, else what is wrong. */
  async checkDisk(): Promise<'no-dd' | 'unreadable' | null> {
    const { status } = await this.#run(`dd if=${this.#device} of=/dev/null bs=512 count=1 2>/dev/null`);
    return status === 0 ? null : status === MISSING_STATUS ? 'no-dd' : 'unreadable';
  }

  /** Makes the node's kernel forget what it has of the disk in memory; tells whether that worked. */
  async forgetCache(): Promise<boolean> {
    if ((await this.#run(`sync; blockdev --flushbufs ${this.#device} 2>/dev/null`)).status === 0) return true;
    return (await this.#run('sysctl -w vm.drop_caches=3 >/dev/null 2>&1 || echo 3 >/proc/sys/vm/drop_caches')).status === 0;
  }

  /** The digests of groups of ranges, in their order. `onLine` is told after each line how many of them are done. */
  async digests(groups: readonly DigestGroup[], digest: DigestName, onLine: (doneGroups: number) => void = () => {}): Promise<string[]> {
    const found: string[] = [];
    for (const { text, count } of linesOf(groups.map((group) => this.#command(group, digest)))) {
      const { lines } = await this.#run(text);
      const seen = lines.flatMap((line) => PRINTED[digest].exec(line)?.[1] ?? []);
      if (seen.length !== count) {
        const words = JSON.stringify(lines.at(-1)?.slice(0, 200) ?? '');
        throw fail(
          'verify-failed',
          `${programOf(digest)} printed ${seen.length} digests instead of ${count}; the last words: ${words}`,
          "the node's log has its whole output; --verify none leaves reading back out",
        );
      }
      found.push(...seen);
      onLine(found.length);
    }
    return found;
  }

  /** What dd says is wrong when it reads a range, or null when it says nothing of that kind. */
  async readError({ offset, sizeBytes }: ByteRange): Promise<string | null> {
    const { status, lines } = await this.#run(
      readPieces({ offset, sizeBytes })
        .map((each) => this.#dd(each, ' of=/dev/null'))
        .join(' && '),
    );
    if (status === 0) return null;
    return (
      lines
        .filter((line) => /^dd: |error|cannot|can't/i.test(line))
        .at(-1)
        ?.trim()
        .slice(0, 200) ?? `dd ended with status ${status}`
    );
  }

  #command(group: DigestGroup, digest: DigestName): string {
    const reads = group.flatMap((range) => readPieces(range)).map((piece) => this.#dd(piece));
    const all = reads.length === 1 ? (reads[0] ?? '') : `{ ${reads.join(';')}; }`;
    return `${all} 2>/dev/null|${programOf(digest)}`;
  }

  #dd({ blockBytes, skip, count }: ReturnType<typeof readPieces>[number], more = ''): string {
    return `dd if=${this.#device}${more} bs=${blockBytes} skip=${skip} count=${count}`;
  }

  async #run(command: string): Promise<{ status: number; lines: string[] }> {
    const lines: string[] = [];
    const { status } = await this.#telnet.run(command, { ...this.#options, onLine: (line) => void lines.push(line) });
    return { status, lines };
  }
}

/** Commands joined to lines, as many to each as it takes. */
function linesOf(commands: readonly string[]): { text: string; count: number }[] {
  const lines: { text: string; count: number }[] = [];
  for (const command of commands) {
    const last = lines.at(-1);
    if (last && last.text.length + 1 + command.length <= MAX_COMMAND_BYTES) {
      last.text += `;${command}`;
      last.count++;
    } else lines.push({ text: command, count: 1 });
  }
  return lines;
}
