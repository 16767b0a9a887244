import type { ChangeLog } from './change-log.js';

/** A way to a consumer. `waiting`: bytes that it has not taken yet. */
export type Outlet = { send(text: string, seq: number): void; waiting(): number };

/** More than this does not wait for a slow consumer; the rest stays in the log. */
const MAX_WAITING_BYTES = 256 * 1024;

/**
 * One consumer of the changes: every change once, in order. A slow one gets them later, from the log; when it is too slow
 * even for that, it is told how many are lost, and gets a snapshot. Call `pump` whenever it may have taken something.
 */
export class Follower {
  readonly #log: ChangeLog;
  readonly #outlet: Outlet;
  readonly #forget: () => void;
  /** The last change it was sent. */
  #sent: number;
  #snapshotDue: boolean;

  /** `after`: the last change that it has, with what followed to be sent first; null: it knows nothing. */
  constructor(log: ChangeLog, outlet: Outlet, after: number | null, snapshot: boolean) {
    this.#log = log;
    this.#outlet = outlet;
    this.#sent = after === null ? log.seq : Math.min(after, log.seq);
    this.#snapshotDue = snapshot;
    this.#forget = log.onChange(() => this.pump());
    this.pump();
  }

  get sent(): number {
    return this.#sent;
  }

  pump(): void {
    const { seq } = this.#log;
    while (this.#outlet.waiting() < MAX_WAITING_BYTES) {
      if (this.#sent === seq) {
        if (this.#snapshotDue) this.#outlet.send(this.#log.snapshot(), seq);
        this.#snapshotDue = false;
        return;
      }
      const text = this.#log.text(this.#sent + 1);
      if (text === undefined) {
        this.#outlet.send(this.#log.lost(seq - this.#sent), seq);
        this.#sent = seq;
        this.#snapshotDue = true;
      } else this.#outlet.send(text, ++this.#sent);
    }
  }

  close(): void {
    this.#forget();
  }
}
