import { CommandRun } from './command-run.js';
import { StatusMarker } from './status-marker.js';
import { EscapeStripper } from './terminal-text.js';

/** A last line that asks who we are; what we typed may have been echoed behind it. */
const LOGIN_PROMPT = /(?:\blogin|user ?name|password|passcode)\s*:\s*(?::; echo .*)?$/i;
/** After these pauses without an answer the probe is typed again; the last one for all that follow. */
const AGAIN_MS = [1_000, 2_000, 4_000];
/** What came last looks like a prompt when nothing follows for so long. */
const PROMPT_MS = 250;
/** How long a server that has not said anything readable may be left to before it is typed to. */
const FIRST_MS = 100;
const MAX_KEPT_CHARS = 400;

export type Readiness = 'no' | 'ready' | 'login';

/**
 * Finds out whether a shell listens, by a command that does nothing: input may be thrown away before the first prompt, or
 * by a program that comes before the shell, so it is typed again until it is answered. Each one has a marker of its own,
 * and only the last one's counts: then no answer is left to come between later output. No sockets; `pauseMs` is for a timer.
 */
export class ShellProbe {
  readonly #id: string;
  #typed = 0;
  #run: CommandRun | null = null;
  readonly #stripper = new EscapeStripper();
  #text = '';
  #answered = false;
  /** Something readable came since the last line was typed. */
  #heard = false;

  /** `id`: letters and digits, of this connection alone. */
  constructor(id: string) {
    this.#id = id;
  }

  /** What of the server's words may be shown in a message. */
  get text(): string {
    return this.#text.trim();
  }

  /** The next line to type. */
  line(): string {
    this.#typed += 1;
    this.#heard = false;
    this.#answered = false;
    const marker = new StatusMarker(`${this.#id}p${this.#typed}`);
    this.#run = new CommandRun(marker, { onText: (text) => this.#keep(text) });
    return marker.commandLine(':');
  }

  /** Takes what the server says. */
  push(data: Buffer): Readiness {
    if (data.length > 0) this.#heard = true;
    if (this.#run === null) this.#keep(this.#stripper.strip(data.toString('latin1')));
    else if (this.#run.push(data) !== null) return 'ready';
    if (/IMG_STATUS_\w+p\d+=0/.test(this.#text)) this.#answered = true; // an earlier one's: the shell works its way to the last
    return this.asksForLogin ? 'login' : 'no';
  }

  get asksForLogin(): boolean {
    return LOGIN_PROMPT.test(lastLine(this.#text));
  }

  /** How long to wait for more before the line is typed (again). */
  get pauseMs(): number {
    if (this.#typed === 0) return this.#heard ? 0 : FIRST_MS;
    const silenceMs = AGAIN_MS[Math.min(this.#typed, AGAIN_MS.length) - 1] ?? FIRST_MS;
    return this.#heard && !this.#answered && !this.#isEcho() ? PROMPT_MS : silenceMs;
  }

  /** Whether all that came is our own line: its tty is there, its shell may be late. */
  #isEcho(): boolean {
    return /STATUS_\w+=\$\?\s*$/.test(this.#text);
  }

  #keep(text: string): void {
    this.#text = (this.#text + text).slice(-MAX_KEPT_CHARS);
  }
}

function lastLine(text: string): string {
  return text.split(/[\r\n]/).at(-1) ?? '';
}
