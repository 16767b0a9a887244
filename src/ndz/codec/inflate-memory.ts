const STEP_BYTES = 1024 * 1024;
/** What is kept for later, in all; what chunks that grow more need is given back at once. */
const KEPT_BYTES = 64 * STEP_BYTES;

/** Memory to inflate one chunk into, again and again: fresh memory costs the kernel more time than inflating takes. */
export class InflateMemory {
  #bytes = new Uint8Array(0);

  get sizeBytes(): number {
    return this.#bytes.byteLength;
  }

  /** `sizeBytes` of it, with anything in them. What was got before is part of the same. */
  room(sizeBytes: number): Uint8Array {
    if (this.#bytes.byteLength < sizeBytes) this.#bytes = Buffer.allocUnsafeSlow(Math.ceil(sizeBytes / STEP_BYTES) * STEP_BYTES);
    return this.#bytes.subarray(0, sizeBytes);
  }
}

/** Memory for the chunks that a thread has under way at a time, however many. */
export class InflateMemories {
  readonly #idle: InflateMemory[] = [];

  take(): InflateMemory {
    return this.#idle.pop() ?? new InflateMemory();
  }

  /** Call when nobody looks at what was inflated any more. */
  giveBack(memory: InflateMemory): void {
    const keptBytes = this.#idle.reduce((sum, { sizeBytes }) => sum + sizeBytes, memory.sizeBytes);
    if (keptBytes <= KEPT_BYTES) this.#idle.push(memory);
  }
}
