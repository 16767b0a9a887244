import type { ReadStream } from 'node:tty';
import { KeyDecoder, type Key } from './keys.js';

/** An ESC that nothing follows for so long is the key. */
const ESCAPE_MS = 60;

/** A terminal's keys, one by one. Each may be called any number of times. */
export type Keyboard = {
  /** Only in the foreground: the system stops who changes the terminal from the background. */
  take(): void;
  /** Gives the terminal back as it was; only in the foreground as well. */
  release(): void;
  /** Others have the terminal by now, in the state that they want: reads it no more, and leaves it as it is. */
  forget(): void;
};

/** Reads keys while it is taken: raw, so without echo that would damage a screen. */
export function openKeyboard(stdin: ReadStream, onKey: (key: Key) => void): Keyboard {
  const decoder = new KeyDecoder();
  let taken = false;
  let stale = false;
  let timer: NodeJS.Timeout | undefined;
  const onData = (bytes: Buffer): void => {
    clearTimeout(timer);
    for (const key of decoder.push(bytes.toString('latin1'))) onKey(key);
    if (decoder.pending) timer = setTimeout(() => decoder.flush().forEach(onKey), ESCAPE_MS);
  };
  const stopReading = (): void => {
    taken = false;
    clearTimeout(timer);
    stdin.off('data', onData).pause();
  };
  const onError = (): void => {}; // a terminal that is gone sends SIGHUP as well
  return {
    take: () => {
      if (taken) return;
      if (stale) setRaw(stdin, false); // it is believed to be raw, and asking for what is so already does nothing
      stale = false;
      if (!setRaw(stdin, true)) return;
      taken = true;
      stdin.on('error', onError).on('data', onData).resume();
    },
    release: () => {
      if (!taken) return;
      stopReading();
      setRaw(stdin, false);
    },
    forget: () => {
      if (!taken) return;
      stopReading();
      stale = true;
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
