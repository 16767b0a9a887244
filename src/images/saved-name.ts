import { basename } from 'node:path';
import { NATIVE_SUFFIXES } from './formats.js';

export const IMAGE_SUFFIX = '.ndz';

/** What the name of a saved image tells: `saving__fit07__2026-11-21@01-16__my-setup`. */
export type SavedName = {
  node: string /** As it is written in the name. */;
  date: string /** What the person called it. */;
  radical: string;
};

const DATE = String.raw`\d{4}-\d\d-\d\d@\d\d[-:]\d\d(?:-\d+)?`;
const PATTERNS = [
  // what is written now, and with the separators of earlier tools
  new RegExp(String.raw`^saving(?<separator>__|==|--)(?<node>.+?)\k<separator>(?<date>${DATE})\k<separator>(?<radical>.+)$`, 'u'),
  // the tool of 2015
  new RegExp(String.raw`^(?<node>[A-Za-z][A-Za-z0-9-]*\d+)=(?<date>${DATE})=(?<radical>.+)$`, 'u'),
];

/** The name a saved image has, the `nth` of its minute: date and time are local, and without a colon, so that names paste in any shell. */
export function savedName(node: string, atMs: number, radical: string, nth = 1): string {
  return `saving__${node}__${localMinute(atMs).replace(':', '-')}${nth === 1 ? '' : `-${nth}`}__${radical}`;
}

/** Takes a saved image's name (without .ndz) apart; null for any other name. */
export function parseSavedName(name: string): SavedName | null {
  for (const pattern of PATTERNS) {
    const { node, date, radical } = pattern.exec(name)?.groups ?? {};
    if (node !== undefined && date !== undefined && radical !== undefined) return { node, date, radical };
  }
  return null;
}

/** What an image is called whoever saved it when: the last part of a saved image's name, else the whole name. */
export function radicalOf(name: string): string {
  return parseSavedName(name)?.radical ?? name;
}

/** The name an image goes by: its file's, without .ndz. */
export function imageName(path: string): string {
  return basename(path, IMAGE_SUFFIX);
}

/** Whether a file of this name is taken for an image. */
export function isImageFile(name: string): boolean {
  if (name.startsWith('.') || /\.tar\.\w+$/.test(name)) return false;
  return name.endsWith(IMAGE_SUFFIX) || NATIVE_SUFFIXES.some((suffix) => name.endsWith(suffix) && name.length > suffix.length);
}

/** `2026-11-21@01:16`, local time. */
export function localMinute(atMs: number): string {
  const local = new Date(atMs - new Date(atMs).getTimezoneOffset() * 60_000).toISOString();
  return `${local.slice(0, 10)}@${local.slice(11, 16)}`;
}
