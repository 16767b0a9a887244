import type { ReadStream } from 'node:tty';
import { KeyDecoder, type Key } from './keys.js';

/** An ESC that nothing follows for so long is the key. */
const ESCAPE_MS = 60;

/** A terminal's keys, one by one; `release` gives the terminal back as it was. Both may be called any number of times. */
export type Keyboard = { take(): void; release(): void };

/**
 * Reads keys while it is taken: raw, so without echo that would damage a screen. Must be taken only in the foreground: the
 * system stops who changes the terminal from the background.
 */
export function openKeyboard(stdin: ReadStream, onKey: (key: Key) => void): Keyboard {
  const decoder = new KeyDecoder();
  let taken = false;
  let timer: NodeJS.Timeout | undefined;
  const onData = (bytes: Buffer): void => {
    clearTimeout(timer);
    for (const key of decoder.push(bytes.toString('latin1'))) onKey(key);
    if (decoder.pending) timer = setTimeout(() => decoder.flush().forEach(onKey), ESCAPE_MS);
  };
  const onError = (): void => {}; // a terminal that is gone sends SIGHUP as well
  return {
    take: () => {
      if (taken || !setRaw(stdin, true)) return;
      taken = true;
      stdin.on('error', onError).on('data', onData).resume();
    },
    release: () => {
      if (!taken) return;
      taken = false;
      clearTimeout(timer);
      stdin.off('data', onData).pause();
      setRaw(stdin, false);
    },
  };
}

function setRaw(stdin: ReadStream, raw: boolean): boolean {
  try {
    stdin.setRawMode(raw);
    return true;
  } catch {
    return false; // the terminal is gone
  }
}
