import { setFlagsFromString } from 'node:v8';

/** In percent of what is alive: so far the old part of the heap may grow before it is collected again. */
const GROWING_PERCENT = 40;
/** The versions of V8 (Node.js 20, 22 and 24) that are known to have the flag; an unknown one would be complained of on standard error. */
const KNOWN_V8 = [11, 12, 13];

/** The flag for V8 that keeps a heap small; null where it is not known. */
export function smallHeapFlag(v8Version: string): string | null {
  return KNOWN_V8.includes(Number.parseInt(v8Version, 10)) ? `--heap-growing-percent=${GROWING_PERCENT}` : null;
}

/**
 * Lets this process' heaps grow less before they are collected. By itself V8 lets one that grows fast become several times
 * what is alive in it: of a thousand nodes' sockets and signals most is garbage that has lived for a second. It is no limit:
 * what is alive may be as much as ever.
 */
export function keepHeapSmall(): void {
  const flag = smallHeapFlag(process.versions.v8);
  if (flag !== null) setFlagsFromString(flag);
}
