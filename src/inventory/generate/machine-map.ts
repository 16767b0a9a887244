import { normalizeMac } from '../addresses.js';
import { isUnicast } from './macs.js';
import { MAX_NUMBER } from './network.js';

/** One line of a machine map: a machine and where it is. */
export type Machine = {
  /** Line in the file, from 1. */
  line: number;
  /** The physical number, on the machine's label and in its CMC's firmware: 1 to 254. */
  number: number;
  /** Of the control interface; lower case, with colons. */
  mac: string;
  /** The slot it is in, 1 to 254; or the word for another place, such as `preplab`. */
  place: number | string;
};

const FORM = 'number mac slot [wlan0 [wlan1]]';

/**
 * The machines of a map, in its order, and everything that is wrong with it, each with file and line. A line is
 * `number mac slot [wlan0 [wlan1]]`; `#` begins a comment. What the wireless cards are plays no part. A machine whose
 * line has a problem is left out.
 */
export function parseMachineMap(text: string, file: string): { machines: Machine[]; problems: string[] } {
  const machines: Machine[] = [];
  const problems: string[] = [];
  const taken = new Map<string, number>();
  for (const [index, raw] of text
    .replace(/^\uFEFF/, '')
    .split(/\r\n|\n|\r/)
    .entries()) {
    const words = raw
      .replace(/#.*$/, '')
      .split(/\s+/)
      .filter((word) => word !== '');
    if (words.length === 0) continue;
    const found: string[] = [];
    const machine = parseLine(words, index + 1, found);
    if (machine) claimAll(machine, taken, found);
    if (machine && found.length === 0) machines.push(machine);
    problems.push(...found.map((problem) => `${file}, line ${index + 1}: ${problem}`));
  }
  return { machines, problems };
}

function parseLine(words: readonly string[], line: number, problems: string[]): Machine | null {
  const [numberWord = '', macWord = '', placeWord = ''] = words;
  if (words.length < 3 || words.length > 5) {
    problems.push(`${words.length} words, ${FORM} is expected`);
    return null;
  }
  const number = parseNumber(numberWord);
  if (number === null) problems.push(`${shown(numberWord)} is not a machine's number (1 to ${MAX_NUMBER})`);
  const mac = normalizeMac(macWord);
  if (mac === null) problems.push(`${shown(macWord)} is not a MAC address (six hex pairs)`);
  else if (!isUnicast(mac))
    problems.push(`${mac} is no machine's MAC address: it is ${/[1-9a-f]/.test(mac) ? 'a multicast address' : 'all zeros'}`);
  const place = /^\d/.test(placeWord) ? parseNumber(placeWord) : placeName(placeWord);
  if (place === null)
    problems.push(`${shown(placeWord)} is neither a slot (1 to ${MAX_NUMBER}) nor a place (letters, digits, - and _, a letter first)`);
  return number === null || mac === null || place === null ? null : { line, number, mac, place };
}

function parseNumber(word: string): number | null {
  const number = /^\d{1,3}$/.test(word) ? Number(word) : 0;
  return number >= 1 && number <= MAX_NUMBER ? number : null;
}

/** A word for a place, in lower case, or null when it is none. */
export function placeName(word: string): string | null {
  return /^[A-Za-z][\w-]*$/.test(word) ? word.toLowerCase() : null;
}

/** `taken` remembers the line of every number, MAC and slot. */
function claimAll({ line, number, mac, place }: Machine, taken: Map<string, number>, problems: string[]): void {
  const claims = [`machine ${number}`, mac, ...(typeof place === 'number' ? [`slot ${place}`] : [])];
  for (const what of claims) {
    const other = taken.get(what);
    if (other === undefined) taken.set(what, line);
    else problems.push(`${what} is already on line ${other}`);
  }
}

function shown(word: string): string {
  return JSON.stringify(word.length <= 60 ? word : `${word.slice(0, 57)}...`);
}
