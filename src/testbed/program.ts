import type { Readable, Writable } from 'node:stream';

/** What a program of the ramdisk works with. Streams are ended by whoever runs the program, not by the program. */
export type ProgramIo = {
  stdin: Readable;
  stdout: Writable;
  stderr: Writable;
  /** Aborts when the session ends, the power goes or Ctrl-C is typed. */
  signal: AbortSignal;
};

/** A program the ramdisk offers, run by the testbed itself; resolves to its exit status, and never rejects. */
export type Program = (args: string[], io: ProgramIo) => Promise<number>;

/** By name: `frisbee`, `imagezip`, `nc`, `mount`, `umount`, `mkdir`. */
export type Programs = ReadonlyMap<string, Program>;

/** Exit status of a program that Ctrl-C ended. */
export const INTERRUPTED_STATUS = 130;
