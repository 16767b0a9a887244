import { createElement, type ReactElement } from 'react';
import type { ReadStream } from 'node:tty';
import { render, Text, type Instance } from 'ink';
import { inForeground } from '../util/foreground.js';
import { openKeyboard, type Keyboard } from './keyboard.js';
import type { Key } from './keys.js';
import { paint, type Row } from './row.js';

export type TerminalOptions = {
  out: NodeJS.WriteStream;
  /** Where keys come from; null: there are none. */
  stdin: ReadStream | null;
  colour: boolean;
  /** Whether the terminal breaks long lines anew when it becomes narrower, as all but the oldest do. */
  reflows: boolean;
  /** What to show; fewer rows than the terminal has, or what is too much is left out. */
  frame(width: number, height: number): readonly Row[];
  /** What stays on the terminal at the end. */
  lastFrame(width: number, height: number): readonly Row[];
  onKey(key: Key): void;
};

/** A live screen: `changed` draws it soon, `close` gives the terminal back and may be called twice. */
export type Terminal = { changed(): void; close(): Promise<void> };

/** At most four frames a second. */
const FRAME_MS = 250;
/** Times that are shown move although nothing happens; the shell may bring us to the foreground without telling. */
const CLOCK_MS = 1_000;

/** All rows as one text: the layout is done, Ink only draws what has changed. */
function Screen({ lines }: { lines: readonly string[] }): ReactElement {
  return createElement(Text, { wrap: 'truncate' }, lines.join('\n'));
}

/**
 * Draws below what the terminal shows already, never as tall as it, and leaves its history alone. Draws nothing while in
 * the background. Stopped by Ctrl-Z, it gives the terminal back first, and stops once, together with its whole job.
 */
export function openTerminal(options: TerminalOptions): Terminal {
  const screen = new TerminalScreen(options);
  screen.open();
  return { changed: () => screen.changed(), close: () => screen.close() };
}

class TerminalScreen {
  readonly #options: TerminalOptions;
  readonly #keyboard: Keyboard | null;
  #ink: Instance | null = null;
  #drawn: readonly string[] = [];
  #size = { width: 0, height: 0 };
  #timer: NodeJS.Timeout | null = null;
  #clock: NodeJS.Timeout | undefined;
  #stopping: NodeJS.Immediate | undefined;
  #drawnMs = -Infinity;
  #closed = false;

  constructor(options: TerminalOptions) {
    this.#options = options;
    this.#keyboard = options.stdin && openKeyboard(options.stdin, (key) => this.#onKey(key));
  }

  open(): void {
    this.#options.out.on('resize', this.#onResize);
    process.on('SIGTSTP', this.#suspend).on('SIGCONT', this.#onContinue).on('exit', this.#letGo);
    this.#clock = setInterval(() => this.changed(), CLOCK_MS);
    this.#draw();
  }

  changed(): void {
    if (this.#closed) return;
    this.#timer ??= setTimeout(() => this.#draw(), Math.max(0, this.#drawnMs + FRAME_MS - performance.now()));
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
    clearInterval(this.#clock);
    clearImmediate(this.#stopping);
    if (this.#inFront()) this.#show((width, height) => this.#options.lastFrame(width, height));
    this.#closed = true;
    const ink = this.#ink;
    this.#letGo();
    await ink?.waitUntilExit();
    this.#options.out.off('resize', this.#onResize);
    process.off('SIGTSTP', this.#suspend).off('SIGCONT', this.#onContinue).off('exit', this.#letGo);
  }

  readonly #onResize = (): void => this.changed();

  #onKey(key: Key): void {
    // 0: to the whole job, as the terminal itself would
    if (key === 'interrupt') process.kill(0, 'SIGINT');
    else if (key === 'suspend') {
      this.#giveBack();
      this.#stop(0);
    } else this.#options.onKey(key);
    this.changed();
  }

  #draw(): void {
    this.#timer = null;
    if (this.#inFront()) this.#show((width, height) => this.#options.frame(width, height));
  }

  /** Whether the terminal is ours; takes the keyboard then. In the background others write there, so our frame is forgotten. */
  #inFront(): boolean {
    if (inForeground()) {
      this.#keyboard?.take();
      return true;
    }
    this.#leave();
    return false;
  }

  /** Others write there: our frame is no more where we left it, and keys are theirs. */
  #leave(): void {
    this.#unmount();
    this.#keyboard?.forget();
  }

  #show(frame: (width: number, height: number) => readonly Row[]): void {
    const { out, colour } = this.#options;
    const size = { width: out.columns || 80, height: out.rows || 24 };
    if (size.width !== this.#size.width || size.height !== this.#size.height) {
      this.#erase();
      this.#size = size;
    }
    const lines = frame(size.width, size.height)
      .slice(0, Math.max(0, size.height - 2))
      .map((row) => paint(row, colour));
    this.#drawnMs = performance.now();
    if (lines.length === 0) return this.#erase();
    this.#drawn = lines;
    const screen = createElement(Screen, { lines });
    if (this.#ink) return this.#ink.rerender(screen);
    const stdout = pinned(out, size.width);
    this.#ink = render(screen, {
      stdout,
      stderr: stdout,
      stdin: this.#options.stdin ?? process.stdin,
      exitOnCtrlC: false,
      patchConsole: false,
      maxFps: 60,
    });
  }

  /** Takes the frame off the terminal, as it stands there by now: a narrower one has broken its lines. */
  #erase(): void {
    const { out, reflows } = this.#options;
    const width = out.columns || 80;
    const rows = this.#drawn.map((line) => (reflows ? Math.max(1, Math.ceil(columnsOf(line) / width)) : 1));
    const count = rows.reduce((sum, each) => sum + each, 0);
    // line by line: what is cleared as a whole screen, some terminals keep in their history
    if (this.#unmount() && count > 0) out.write(`${'\u001b[1A\u001b[2K'.repeat(count)}\r`);
  }

  /** Ends Ink, which shows the cursor again; the frame stays on the terminal. */
  #unmount(): boolean {
    const ink = this.#ink;
    this.#ink = null;
    this.#drawn = [];
    ink?.unmount();
    return ink !== null;
  }

  readonly #letGo = (): void => {
    this.#unmount();
    this.#keyboard?.release();
  };

  /**
   * Somebody else's SIGTSTP. When it went to the whole job, a script that has started us has stopped already, and the shell
   * may take the terminal while we give it back: then the system stops us there. A SIGCONT that comes meanwhile is heard
   * one turn of the event loop later at the latest, and nobody would send a second one: so then we do not stop (again).
   */
  readonly #suspend = (): void => {
    this.#giveBack();
    clearImmediate(this.#stopping);
    this.#stopping = setImmediate(() => {
      this.#stopping = setImmediate(() => this.#stop(process.pid));
    });
  };

  /** Ours to do in the foreground only. */
  #giveBack(): void {
    if (!inForeground()) return;
    this.#erase();
    this.#letGo();
  }

  /** Stops a process, or with 0 our whole job, and in any case ourselves; returns when we go on. */
  #stop(pid: number): void {
    process.off('SIGTSTP', this.#suspend); // without a listener it stops us, unless nobody could make us go on again
    process.kill(pid, 'SIGTSTP');
    process.on('SIGTSTP', this.#suspend);
    this.changed();
  }

  /** Who has stopped us with SIGSTOP gave no notice: what we drew and how the terminal was set is gone. */
  readonly #onContinue = (): void => {
    clearImmediate(this.#stopping);
    this.#leave();
    this.changed();
  };
}

function columnsOf(line: string): number {
  return line.replace(/\u001b\[[0-9;]*m/g, '').length;
}

/**
 * The terminal as Ink may see it: of one width, never resized, and so tall that Ink has no reason to clear it, which it
 * does together with the terminal's history.
 */
function pinned(out: NodeJS.WriteStream, columns: number): NodeJS.WriteStream {
  return new Proxy(out, {
    get: (target, name) => {
      if (name === 'columns') return columns;
      if (name === 'rows') return 100_000;
      const value: unknown = Reflect.get(target, name);
      if (typeof value !== 'function') return value;
      if (name === 'on' || name === 'off')
        return (event: string, listener: (...args: unknown[]) => void) => (event === 'resize' ? out : out[name](event, listener));
      return (...args: unknown[]): unknown => Reflect.apply(value, target, args);
    },
  });
}
