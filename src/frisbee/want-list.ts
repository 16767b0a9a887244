/**
 * The chunks nobody has seen a block of yet, in the order this client will ask for them: a deque in which walking
 * from the front forgets what was seen meanwhile, so that asking stays cheap for images of any size.
 */
export class WantList {
  readonly #chunks: Uint32Array;
  /** Wanted once more; they come first. */
  readonly #returned = new Set<number>();
  #head = 0;

  /** The chunks 0 .. count - 1; unless `inOrder` shuffled behind the last one, which says how large the image is. `random` is uniform in [0, 1). */
  constructor(count: number, inOrder: boolean, random: () => number) {
    this.#chunks = Uint32Array.from({ length: count }, (_, chunk) => chunk);
    if (inOrder) return;
    for (let i = count - 1; i > 0; i--) {
      const j = Math.floor(random() * (i + 1));
      const chunk = this.#at(i);
      this.#chunks[i] = this.#at(j);
      this.#chunks[j] = chunk;
    }
    const last = this.#chunks.indexOf(count - 1);
    [this.#chunks[0], this.#chunks[last]] = [count - 1, this.#at(0)];
  }

  /** The first `limit` chunks for which `wanted` says true; the others before them are dropped from the list. */
  first(limit: number, wanted: (chunk: number) => boolean): number[] {
    const again: number[] = [];
    for (const chunk of this.#returned) {
      if (again.length === limit) return again;
      if (wanted(chunk)) again.push(chunk);
      else this.#returned.delete(chunk);
    }
    const found: number[] = [];
    let at = this.#head;
    while (at < this.#chunks.length && again.length + found.length < limit) {
      const chunk = this.#at(at++);
      if (wanted(chunk) && !this.#returned.has(chunk)) found.push(chunk);
    }
    this.#head = at;
    for (let i = found.length - 1; i >= 0; i--) this.#chunks[--this.#head] = found[i] ?? 0;
    return [...again, ...found];
  }

  /** Puts a chunk that had been seen, or dropped, to the front. */
  putBack(chunk: number): void {
    this.#returned.add(chunk);
  }

  #at(index: number): number {
    return this.#chunks[index] ?? 0;
  }
}
