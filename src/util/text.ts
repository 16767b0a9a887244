/** Control characters that peers may send and no terminal or log should see: C0, DEL and C1 (U+009B starts sequences too). */
const CONTROLS = /[\u0000-\u001f\u007f-\u009f]/g;

/** A peer's text on one line, made harmless for terminals and logs: each control character becomes a blank. */
export function printable(text: string): string {
  return text.replace(/\s*\r?\n\s*/g, ' | ').replace(CONTROLS, ' ');
}
