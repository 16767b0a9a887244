import { untilAborted } from '../util/abort.js';
import { Failure, messageOf } from '../util/errors.js';
import type { Host } from '../util/host.js';
import type { LeaseBackend } from './backend.js';
import type { Lease } from './lease.js';
import { grantedUntil, noLease, RECENT_MS } from './verdict.js';
import { fail } from './failures.js';

export type PermitOptions = {
  backend: LeaseBackend;
  /** Whose leases count. */
  owner: string;
  host: Pick<Host, 'now' | 'monotonicMs'>;
  /** How long an answer counts without asking again. */
  freshMs?: number;
  /** Told once per silence: the server does not answer, and a lease it told of before is relied upon. */
  onSilence?: (text: string) => void;
};

export type LeasePermit = {
  /**
   * Which of the nodes the owner has no lease on now, each with a Failure `no-lease`.
   * Rejects with a Failure `lease-unknown` when the backend cannot be asked.
   */
  initial(nodes: readonly string[], signal: AbortSignal): Promise<Map<string, Failure>>;
  /**
   * Resolves when the owner has a lease on the node now. Rejects with a Failure `no-lease`, or `lease-unknown` when the
   * backend cannot be asked and what it said before does not cover this moment, or with the signal's reason. Any number
   * of nodes that ask at the same time cost one request.
   */
  check(node: string, signal: AbortSignal): Promise<void>;
  /** Drops a request under way. */
  close(): void;
};

type Answer = { leases: readonly Lease[]; failure: null } | { leases: null; failure: Failure };

const FRESH_MS = 1_000;

export function createPermit({ backend, owner, host, freshMs = FRESH_MS, onSilence }: PermitOptions): LeasePermit {
  const asker = createAsker(backend, owner, host, freshMs);
  const grants = (leases: readonly Lease[] | null, node: string): boolean =>
    leases !== null && grantedUntil(leases, owner, node, host.now()) !== null;
  const refusal = (leases: readonly Lease[], node: string): Failure => noLease(leases, owner, node, host.now());
  return {
    initial: async (nodes, signal) => {
      const answer = await asker.fresh(signal);
      if (answer.failure) throw answer.failure;
      const refused = nodes.filter((node) => !grants(answer.leases, node));
      return new Map(refused.map((node) => [node, refusal(answer.leases, node)]));
    },
    check: async (node, signal) => {
      signal.throwIfAborted();
      const known = asker.recent();
      // a refusal needs an answer of this very moment: the lease may have been extended, or booked, a second ago
      const answer = known !== null && (known.failure || grants(known.leases, node)) ? known : await asker.fresh(signal);
      if (grants(answer.leases, node)) return;
      if (!answer.failure) throw refusal(answer.leases, node);
      if (!grants(asker.lastGood(), node)) throw answer.failure;
      if (asker.firstOfSilence()) onSilence?.(`${answer.failure.message}; going on with the lease it told of before, as long as that runs`);
    },
    close: () => asker.close(),
  };
}

type Asker = {
  /** An answer of now. A request that is under way is everybody's: who gives up waiting does not end it. */
  fresh(signal: AbortSignal): Promise<Answer>;
  /** The last answer, or failure to get one, while it is fresh enough. */
  recent(): Answer | null;
  /** What the backend said last, however long ago. */
  lastGood(): readonly Lease[] | null;
  /** True once after each answer. */
  firstOfSilence(): boolean;
  close(): void;
};

function createAsker(backend: LeaseBackend, owner: string, host: PermitOptions['host'], freshMs: number): Asker {
  const closing = new AbortController();
  let last: { answer: Answer; atMs: number } | null = null;
  let lastGood: readonly Lease[] | null = null;
  let asking: Promise<Answer> | null = null;
  let told = false;
  const ask = async (): Promise<Answer> => {
    const answer = await askBackend(backend, owner, host.now() - RECENT_MS, closing.signal);
    if (answer.leases) [lastGood, told] = [answer.leases, false];
    last = { answer, atMs: host.monotonicMs() };
    return answer;
  };
  return {
    fresh: async (signal) => {
      signal.throwIfAborted();
      asking ??= ask().finally(() => (asking = null));
      return untilAborted(signal, asking);
    },
    recent: () => (last !== null && host.monotonicMs() - last.atMs < freshMs ? last.answer : null),
    lastGood: () => lastGood,
    firstOfSilence: () => !told && (told = true),
    close: () => closing.abort(new Error('the run is over')),
  };
}

async function askBackend(backend: LeaseBackend, owner: string, sinceMs: number, signal: AbortSignal): Promise<Answer> {
  try {
    return { leases: (await backend.list(sinceMs, signal)).leases, failure: null };
  } catch (error) {
    if (error instanceof TypeError || error instanceof ReferenceError) throw error; // a defect of ours
    return {
      leases: null,
      failure: fail(
        'lease-unknown',
        `cannot tell whether ${owner} has a lease: ${messageOf(error)}`,
        'try again once the lease server answers; privileged users (leases.privileged) need no lease',
        { cause: error },
      ),
    };
  }
}
