/** The numbers of a transfer's last lines. */
export type OutputResult = {
  effectiveBytes: number;
  actualBytes: number;
  writes: number /** lines for people */;
  notes?: readonly string[];
};

/**
 * Where received chunks go. The client's calls never overlap, but `abort` may come at any time. A `ChunkSink` of
 * `ndz/` is one; so is a file written as it is.
 */
export interface ChunkOutput {
  /** Called once, before the first write, when the file's size is known. */
  begin?(sizeBytes: number): Promise<void>;
  /** Takes chunk `index`: always 1 MiB of memory, of which `sizeBytes` count. Resolves when the memory may be reused. What it rejects with for the chunk's own sake (`isChunkFault`) leaves the output as it was. */
  write(chunk: Uint8Array, index: number, sizeBytes: number): Promise<void>;
  /** Everything was written: brings it to the medium and closes. */
  finish(): Promise<OutputResult>;
  /** Gives up and closes. */
  abort(): Promise<void>;
}
