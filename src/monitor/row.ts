import { printable } from '../util/text.js';

/** What a row is about: decides its colour, never its meaning, which is in its text. */
export type Tone = 'head' | 'bad' | 'active' | 'good' | 'quiet' | 'chosen';

/** One line of a screen, without control characters. */
export type Row = { text: string; tone: Tone };

/** Red against cyan differ for every kind of colour blindness, in brightness as well; symbols and words say the same. */
const sgr: Record<Tone, string> = { head: '1', bad: '1;31', active: '', good: '36', quiet: '2', chosen: '7' };

/** The row as a terminal gets it; without `colour` exactly its text. */
export function paint({ text: given, tone }: Row, colour: boolean): string {
  const text = printable(given);
  const code = sgr[tone];
  return colour && code !== '' && text !== '' ? `\u001b[${code}m${text}\u001b[0m` : text;
}
