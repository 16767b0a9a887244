import { jsonText } from './json.js';
import { printable, printableLines } from './text.js';

/** Where texts go: a standard output, or what stands in for one. */
export type Outlet = { write(text: string): unknown };

/**
 * Writes lines, each harmless for terminals and each one line, whatever the names and words of others in it hold: the one
 * way for texts to standard output and standard error. Several lines are several arguments, and one write.
 */
export function say(out: Outlet, ...lines: readonly string[]): void {
  if (lines.length > 0) out.write(lines.map((line) => `${printable(line)}\n`).join(''));
}

/** Writes a text of our own that has its line ends already, such as a help text; words of others are in it as `printable` gives them. */
export function sayText(out: Outlet, text: string): void {
  out.write(printableLines(text));
}

/** Writes one warning to standard error. */
export function warn(err: Outlet, text: string): void {
  say(err, `imaging: warning: ${text}`);
}

/** Writes one value as JSON and a line end: whole, with what no terminal should see as escapes. `indent` in blanks; default: all on one line. */
export function sayJson(out: Outlet, value: unknown, indent?: number): void {
  out.write(`${jsonText(value, indent)}\n`);
}
