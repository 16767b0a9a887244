import { StringDecoder } from 'node:string_decoder';
import type { StatusMarker, StatusScanner } from './status-marker.js';
import { EscapeStripper, LineSplitter } from './terminal-text.js';

export type OutputListeners = {
  /** Each complete line, escapes taken out; the echo of our own command and the status are left out. */
  onLine?: ((line: string) => void) | undefined;
  /** Text as it comes, escapes taken out, line ends kept: for progress that grows a line for minutes. */
  onText?: ((text: string) => void) | undefined;
};

/** Turns the bytes of one remote command into lines, text and at last its exit status. No sockets, no clocks. */
export class CommandRun {
  readonly #marker: StatusMarker;
  readonly #scanner: StatusScanner;
  readonly #utf8 = new StringDecoder('utf8');
  readonly #stripper = new EscapeStripper();
  readonly #lines: LineSplitter;
  readonly #onText: ((text: string) => void) | undefined;

  constructor(marker: StatusMarker, listeners: OutputListeners) {
    this.#marker = marker;
    this.#scanner = marker.scanner();
    this.#onText = listeners.onText;
    this.#lines = new LineSplitter((line) => {
      if (!this.#marker.isEcho(line)) listeners.onLine?.(line);
    });
  }

  /** Takes decoded output; returns the exit status once it is there, else null. */
  push(data: Buffer): number | null {
    const { output, status } = this.#scanner.push(data);
    this.#show(this.#utf8.write(output));
    if (status !== null) this.end();
    return status;
  }

  /** Gives out what was begun: call it when no more is coming. */
  end(): void {
    this.#show(this.#utf8.write(this.#scanner.rest()) + this.#utf8.end());
    this.#lines.flush();
  }

  #show(raw: string): void {
    const text = this.#stripper.strip(raw);
    if (text === '') return;
    this.#onText?.(text);
    this.#lines.push(text);
  }
}
