import type { Readable, Writable } from 'node:stream';

/** What a program that stands in for one of frisbee's gets from who runs it. */
export type ProgramIo = {
  /** Standard input, for programs that can read it; may be opened by looking at it. */
  readonly stdin?: Readable;
  stdout: Writable;
  stderr: Writable;
  signal?: AbortSignal;
};
