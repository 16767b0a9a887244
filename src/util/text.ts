/**
 * Characters that peers, file names and records may hold and no terminal or log should see: C0, DEL and C1 (U+009B starts
 * sequences too), and those that turn the direction of writing or break lines (U+061C, U+200E-F, U+2028-202E, U+2066-2069).
 */
const CONTROLS = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;
/** The same, but for the ends of lines and tabs. */
const CONTROLS_IN_LINES = /(?![\n\t])[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/** A text of somebody else's on one line, made harmless for terminals and logs: each control character becomes a blank. */
export function printable(text: string): string {
  return text.replace(/\s*\r?\n\s*/g, ' | ').replace(CONTROLS, ' ');
}

/** Lines of our own that may hold texts of somebody else's: like `printable`, but lines and tabs stay. */
export function printableLines(text: string): string {
  return text.replace(CONTROLS_IN_LINES, ' ');
}

/** Each control character but line ends and tabs as `\uXXXX`: for texts in which that means the character itself, as in the strings of JSON. */
export function escaped(text: string): string {
  return text.replace(CONTROLS_IN_LINES, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
