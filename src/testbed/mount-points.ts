import { ROOT_PARTITION, SESSION_ROOT } from './ramdisk.js';

/** Where a session asks for the partition to be mounted, anywhere in a line. */
const MOUNT = new RegExp(String.raw`(?<![\w.-])mount\s+(?:[^;&|]*?\s)?${ROOT_PARTITION}\s+(["']?)(/[\w.+@:,/-]*)\1`, 'g');
/** The machine's own, which a session goes on to need. */
const RESERVED = /^\/(proc|dev|sys|bin|sbin|lib|lib64|usr|etc)(\/|$)/;
const MAX_POINTS = 16;

/**
 * The folders on which one session has mounted its disk. The shell of a ramdisk is one of the machine that the testbed runs
 * on, and sees that one's folders: so what a line says of such a folder is made to lead into the session's own, before the
 * shell reads it.
 */
export class MountPoints {
  readonly #points = new Set<string>();

  /** The line for the shell. */
  lead(line: string): string {
    for (const [, , path = ''] of line.matchAll(MOUNT)) {
      const point = path.replace(/(?<=.)\/+$/, '');
      if (isMountable(point) && this.#points.size < MAX_POINTS) this.#points.add(point);
    }
    if (this.#points.size === 0) return line;
    const points = [...this.#points].sort((a, b) => b.length - a.length).map((point) => point.replace(/[.+]/g, '\\$&'));
    // what stands inside quotes is text, unless all of it is one path
    const path = new RegExp(
      String.raw`(?<=^|[\s=<>(;&|{])(["']?)(?:${points.join('|')})(?=\1(?:$|[\s;&|)<>}])|/[^\s"']*\1(?:$|[\s;&|)<>}]))|'[^']*'|"(?:[^"\\]|\\.)*"|\\.`,
      'g',
    );
    return line.replace(path, (text, quote: string | undefined) =>
      quote === undefined ? text : `${quote}${SESSION_ROOT}${text.slice(quote.length)}`,
    );
  }
}

/** Whether a session can mount its disk on this folder (absolute, without a slash at the end). */
export function isMountable(point: string): boolean {
  return /^(\/[\w+@:,-][\w.+@:,-]*)+$/.test(point) && !RESERVED.test(point);
}
