import type { ServerEvent } from '../../frisbee/server-events.js';
import type { SessionOptions } from './image-session.js';

/** A node joins once for each try; more than that from one address is somebody else's doing. */
const MAX_JOINS = 32;
/** So many addresses are named in the line that counts the others. */
const MAX_NAMED = 4;

type Coming = Extract<ServerEvent, { type: 'join' | 'leave' | 'join-refused' }>;

/**
 * Tells who joins and leaves a session: a line each for the nodes it is for. Joins are easily forged, from any address, so
 * those of others, and more from one node than it can need, are counted and told in one line each at the end.
 */
export class SessionJoins {
  readonly #options: Pick<SessionOptions, 'emit' | 'nodeOf'>;
  /** Of each node: how often it joined, and the clients that were told of and have not left. */
  readonly #nodes = new Map<string, { joins: number; clients: Set<number>; refused: boolean }>();
  readonly #named = new Set<string>();
  #strangers = 0;
  #surplus = 0;

  constructor(options: Pick<SessionOptions, 'emit' | 'nodeOf'>) {
    this.#options = options;
  }

  onEvent(event: Coming): void {
    const { emit, nodeOf } = this.#options;
    const { address } = event;
    const node = nodeOf(address);
    if (node === null) return this.#countStranger(event);
    const known = this.#nodes.get(address) ?? { joins: 0, clients: new Set<number>(), refused: false };
    this.#nodes.set(address, known);
    if (event.type === 'join-refused') {
      if (!known.refused) emit({ type: 'run.warning', text: `${node} was refused: the image is not a multiple of 1 MiB` });
      known.refused = true;
    } else if (event.type === 'leave') {
      if (known.clients.delete(event.clientId)) emit({ type: 'server.leave', target: node, address, clientId: event.clientId });
    } else if (!event.again) {
      if (++known.joins > MAX_JOINS) return void this.#surplus++;
      known.clients.add(event.clientId);
      emit({ type: 'server.join', target: node, address, clientId: event.clientId });
    }
  }

  /** The session is over: what was only counted. */
  end(port: number): void {
    const { emit } = this.#options;
    const from = `${[...this.#named].join(', ')}${this.#strangers > this.#named.size ? ', ...' : ''}`;
    if (this.#strangers > 0)
      emit({
        type: 'run.warning',
        text: `${count(this.#strangers, 'join')} of the session on port ${port} from addresses that are no nodes of this load (${from}): who else is in this network?`,
      });
    if (this.#surplus > 0)
      emit({
        type: 'run.warning',
        text: `${count(this.#surplus, 'more join')} of the session on port ${port} from addresses of nodes than they can have made: does somebody forge them?`,
      });
    [this.#strangers, this.#surplus] = [0, 0];
  }

  #countStranger(event: Coming): void {
    if (event.type === 'leave' || (event.type === 'join' && event.again)) return;
    this.#strangers++;
    if (this.#named.size < MAX_NAMED) this.#named.add(event.address);
  }
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? '' : 's'}`;
}
