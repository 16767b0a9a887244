import { DO, DONT, OPTION, WILL, WONT, encodeNegotiation, encodeWindowSize, type TelnetCommand } from './codec.js';

/** Wide enough that a remote line editor does not break the echo of our commands into several lines. */
const COLUMNS = 2048;
const ROWS = 25;

/** A peer that negotiates more than this is not a shell: silence keeps our send queue bounded. */
const MAX_REPLIES = 512;

const WE_WANT_THEM_TO: ReadonlySet<number> = new Set([OPTION.echo, OPTION.suppressGoAhead]);

/**
 * A client's answers to option negotiation: DO to ECHO and SGA, WILL to NAWS followed by our window size, no to
 * everything else. Only what changes something is answered (RFC 854), so two such parties cannot loop.
 */
export class ClientNegotiator {
  readonly #theirs = new Map<number, boolean>();
  readonly #ours = new Map<number, boolean>();
  #replies = 0;

  /** What to send back for these commands; empty for none. */
  reply(commands: readonly TelnetCommand[]): Buffer {
    const replies: Buffer[] = [];
    for (const command of commands) {
      if (command.type !== 'negotiate' || this.#replies >= MAX_REPLIES) continue;
      const reply = this.#one(command.verb, command.option);
      if (!reply) continue;
      this.#replies += 1;
      replies.push(reply);
    }
    return Buffer.concat(replies);
  }

  #one(verb: number, option: number): Buffer | null {
    switch (verb) {
      case WILL: {
        const agreed = WE_WANT_THEM_TO.has(option);
        return this.#changed(this.#theirs, option, agreed) ? encodeNegotiation(agreed ? DO : DONT, option) : null;
      }
      case WONT:
        return this.#wasOn(this.#theirs, option) ? encodeNegotiation(DONT, option) : null;
      case DO: {
        const agreed = option === OPTION.windowSize;
        if (!this.#changed(this.#ours, option, agreed)) return null;
        return agreed ? Buffer.concat([encodeNegotiation(WILL, option), encodeWindowSize(COLUMNS, ROWS)]) : encodeNegotiation(WONT, option);
      }
      default:
        return this.#wasOn(this.#ours, option) ? encodeNegotiation(WONT, option) : null;
    }
  }

  /** Records the state of an option; the first refusal counts as a change, as it must be answered once. */
  #changed(states: Map<number, boolean>, option: number, on: boolean): boolean {
    if (states.get(option) === on) return false;
    states.set(option, on);
    return true;
  }

  #wasOn(states: Map<number, boolean>, option: number): boolean {
    const on = states.get(option) === true;
    states.set(option, false);
    return on;
  }
}
