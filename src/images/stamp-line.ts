import { localMinute } from './saved-name.js';

/** What a saved image says of itself. */
export type Stamp = {
  savedAtMs: number;
  /** Where it was saved. */
  node: string;
  /** Its radical. */
  image: string;
  /** The login of who saved it. */
  by: string;
  /** The stamp line of the image that the node ran: what this one was made from; null when it had none. */
  base: string | null;
  comment: string | null;
};

/** What a disk says is not ours to trust. */
const MAX_BASE_CHARS = 200;

const LINE = /^\d{4}-\d\d-\d\d@\d\d:\d\d - node .+ - image .+/u;

/**
 * The line for etc/imaging-image: `2026-11-21@01:16 - node fit07 - image my-setup - by ann - from demo - COMMENT`. Up to the
 * login it is what earlier tools write and scripts read; `from` names the image of the line before, COMMENT comes last.
 */
export function stampLine({ savedAtMs, node, image, by, base, comment }: Stamp): string {
  const from = base === null ? [] : [`from ${(imageOfLine(base) ?? '?').slice(0, MAX_BASE_CHARS)}`];
  return [localMinute(savedAtMs), `node ${node}`, `image ${image}`, `by ${by}`, ...from, ...(comment === null ? [] : [comment])].join(
    ' - ',
  );
}

/** Whether a line reads like a stamp, and not like whatever else a terminal shows. */
export function isStampLine(line: string): boolean {
  return LINE.test(line);
}

/** The image that a stamp line names. */
export function imageOfLine(line: string): string | null {
  return /^\S+ - node .+? - image (.+?) - by /u.exec(line)?.[1] ?? /^\S+ - node .+? - image (.+)$/u.exec(line)?.[1] ?? null;
}

/** What no name and no comment may hold, as it would end the line or drive the terminal: control characters, line separators, bytes that are not UTF-8. */
export function holdsControls(text: string): boolean {
  return /[\p{Cc}\p{Zl}\p{Zp}\ufffd]/u.test(text);
}
