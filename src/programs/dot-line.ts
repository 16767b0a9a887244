import type { Writable } from 'node:stream';
import { say } from '../util/say.js';

/** A row of dots that ends, every `width` dots, with some figures. */
export class DotLine {
  #column = 0;
  readonly #out: Writable;
  readonly #width: number;
  readonly #figures: () => string;

  constructor(out: Writable, width: number, figures: () => string) {
    this.#out = out;
    this.#width = width;
    this.#figures = figures;
  }

  dot(): void {
    this.#out.write('.');
    if (++this.#column === this.#width) this.fill();
  }

  /** Ends the line with the figures in their column. */
  fill(): void {
    say(this.#out, `${' '.repeat(this.#width - this.#column)}${this.#figures()}`);
    this.#column = 0;
  }
}

/** C's `%Nd`. */
export function padded(value: number, width: number): string {
  return String(Math.floor(value)).padStart(width);
}
