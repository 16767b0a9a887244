/** What a shell tells the terminal it serves. */
export type ShellListener = {
  /** Bytes a command printed, lines ended by LF. */
  output(bytes: Buffer): void;
  /** The shell waits for a line. */
  prompt(): void;
  /** The shell is gone, by `exit` or on its own; called once, and not after kill(). */
  ended(): void;
};

/** One session's shell, whatever is behind it. */
export type Shell = {
  /** Gives it one line (latin1, without line end); only after prompt(). */
  line(text: string): void;
  /** The keyboard's Ctrl-C: the running command ends, the shell goes on. */
  interrupt(): void;
  /** Ends it and all it has started, at once; nothing is reported after. */
  kill(): void;
  /** Stops and restarts its output, for a peer that reads slowly. */
  pause(): void;
  resume(): void;
};

export type OpenShell = (listener: ShellListener) => Shell;
