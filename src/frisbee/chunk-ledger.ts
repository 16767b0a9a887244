/** A chunk's state. */
const SEEN = 1;
const DONE = 2;
const OURS = 4;
const DROPPED = 8;

/** What a client knows of each chunk of the file, but its blocks: how far it has come, and when it was last asked for. */
export class ChunkLedger {
  readonly #state: Uint8Array;
  readonly #askedAt: Float64Array;
  #doneCount = 0;

  constructor(chunks: number) {
    this.#state = new Uint8Array(chunks);
    this.#askedAt = new Float64Array(chunks).fill(-Infinity);
  }

  /** Whether every chunk is complete. */
  get isComplete(): boolean {
    return this.#doneCount === this.#state.length;
  }

  isDone(chunk: number): boolean {
    return this.#has(chunk, DONE);
  }

  /** Whether it has, or had, a buffer. */
  isSeen(chunk: number): boolean {
    return this.#has(chunk, SEEN);
  }

  /** Whether we have asked for it. */
  isOurs(chunk: number): boolean {
    return this.#has(chunk, OURS);
  }

  /** Whether blocks of it had to be let go by for lack of a buffer. */
  isDropped(chunk: number): boolean {
    return this.#has(chunk, DROPPED);
  }

  /** Milliseconds since anybody asked for it, or anything of it came; Infinity: never. */
  quietMs(chunk: number, now: number): number {
    return now - (this.#askedAt[chunk] ?? 0);
  }

  /** Somebody asked for it, or something of it came. */
  stir(chunk: number, now: number): void {
    this.#askedAt[chunk] = now;
  }

  /** We ask for it. */
  ask(chunk: number, now: number): void {
    this.#state[chunk] = this.#of(chunk) | OURS;
    this.#askedAt[chunk] = now;
  }

  /** It has got a buffer. */
  take(chunk: number): void {
    this.#state[chunk] = (this.#of(chunk) | SEEN) & ~DROPPED;
  }

  /** A block of it went by for lack of a buffer. */
  drop(chunk: number): void {
    this.#state[chunk] = this.#of(chunk) | DROPPED;
  }

  /** Its buffer was given to another: it begins anew. */
  giveUp(chunk: number): void {
    this.#state[chunk] = this.#of(chunk) & ~SEEN;
    this.#askedAt[chunk] = -Infinity;
  }

  complete(chunk: number): void {
    this.#state[chunk] = this.#of(chunk) | DONE;
    this.#doneCount++;
  }

  /** It was complete, and no good: nothing is known of it any more. */
  forget(chunk: number): void {
    this.#state[chunk] = 0;
    this.#askedAt[chunk] = -Infinity;
    this.#doneCount--;
  }

  #of(chunk: number): number {
    return this.#state[chunk] ?? 0;
  }

  #has(chunk: number, flag: number): boolean {
    return (this.#of(chunk) & flag) !== 0;
  }
}
