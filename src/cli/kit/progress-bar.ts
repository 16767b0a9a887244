import { bar, formatBytes, formatDuration } from '../../monitor/format.js';
import { say } from '../../util/say.js';
import type { CommandContext } from './command.js';

const FRAME_MS = 250;
const BAR_WIDTH = 30;

/**
 * How far a single piece of work is, on standard error: one line that is painted over on a terminal, a line at every
 * tenth elsewhere, nothing when quiet. `end` gives the line back.
 */
export class ProgressBar {
  readonly #context: CommandContext;
  readonly #what: string;
  readonly #mode: 'tty' | 'plain' | 'quiet';
  readonly #startMs: number;
  #lastMs = -Infinity;
  #tenth = 0;
  #isShown = false;

  constructor(context: CommandContext, what: string, quiet: boolean) {
    this.#context = context;
    this.#what = what;
    this.#mode = quiet ? 'quiet' : context.stderr.isTTY && context.host.env.TERM !== 'dumb' ? 'tty' : 'plain';
    this.#startMs = context.host.monotonicMs();
  }

  /** `total` is null while nobody knows; then bytes are shown alone. */
  update(doneBytes: number, totalBytes: number | null): void {
    const fraction = totalBytes === null ? null : totalBytes === 0 ? 1 : Math.min(1, doneBytes / totalBytes);
    if (this.#mode === 'tty') this.#paint(doneBytes, fraction);
    else if (this.#mode === 'plain' && fraction !== null) this.#say(doneBytes, fraction);
  }

  end(): void {
    if (this.#isShown) this.#context.stderr.write('\r\u001b[K');
    this.#isShown = false;
  }

  #paint(doneBytes: number, fraction: number | null): void {
    const now = this.#context.host.monotonicMs();
    if (now - this.#lastMs < FRAME_MS) return;
    this.#lastMs = now;
    const elapsedMs = now - this.#startMs;
    const left = fraction === null || fraction === 0 ? '' : `, ${formatDuration((elapsedMs / fraction) * (1 - fraction))} left`;
    const share = fraction === null ? '' : `[${bar(fraction, BAR_WIDTH)}] ${String(Math.floor(fraction * 100)).padStart(3)} %  `;
    const text = `${this.#what} ${share}${formatBytes(doneBytes)}, ${this.#rate(doneBytes, elapsedMs)}${left}`;
    this.#context.stderr.write(`\r${text.slice(0, Math.max(20, (this.#context.stderr.columns ?? 80) - 1))}\u001b[K`);
    this.#isShown = true;
  }

  #say(doneBytes: number, fraction: number): void {
    const tenth = Math.floor(fraction * 10);
    if (tenth <= this.#tenth) return;
    this.#tenth = tenth;
    const elapsedMs = this.#context.host.monotonicMs() - this.#startMs;
    say(this.#context.stderr, `${this.#what} ${tenth * 10} %, ${this.#rate(doneBytes, elapsedMs)}`);
  }

  #rate(doneBytes: number, elapsedMs: number): string {
    return `${formatBytes(Math.round(elapsedMs > 0 ? doneBytes / (elapsedMs / 1000) : 0))}/s`;
  }
}
