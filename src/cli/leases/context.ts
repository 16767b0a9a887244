import type { Config } from '../../config/config.js';
import { loadConfig } from '../../config/read-config.js';
import type { LeaseBackend } from '../../leases/backend.js';
import { leaseState, type Lease, type LeaseState } from '../../leases/lease.js';
import { fold } from '../../nodes/names.js';
import { UserError } from '../../util/errors.js';
import { warn } from '../../util/say.js';
import type { CommandContext } from '../kit/command.js';
import { openLeases } from '../../app/leases.js';

/** What every action on leases has at hand. */
export type LeaseContext = {
  config: Config;
  backend: LeaseBackend;
  login: string /** Whether the login needs no lease, and may act for others. */;
  privileged: boolean;
};

/**
 * Opens the backend, does the work, and closes it. Warnings of the configuration go to stderr.
 *
 * @throws UserError `environment` when there is no backend, unless `withoutBackend` says what to do then
 */
export async function withLeases(
  context: CommandContext,
  work: (leases: LeaseContext) => Promise<number>,
  withoutBackend?: () => number,
): Promise<number> {
  const { config, warnings } = await loadConfig(context.host);
  for (const text of warnings) warn(context.stderr, text);
  const backend = await openLeases({ config }, context.host);
  if (backend === null && withoutBackend) return withoutBackend();
  if (backend === null)
    throw new UserError(
      'environment',
      'nobody keeps leases here: leases.backend is none',
      'set backend in section [leases] of the configuration: see docs/leases.md',
    );
  const login = context.host.login();
  try {
    return await work({ config, backend, login, privileged: config.leases.privileged.includes(login) });
  } finally {
    await backend.close();
  }
}

/** What a lease is for, short: `all nodes`, `1-12`. */
export function nodesText({ nodes }: Pick<Lease, 'nodes'>, { testbed }: Config): string {
  if (nodes === null) return 'all nodes';
  const numbers = nodes.map((name) => (name.startsWith(testbed.regularName) ? name.slice(testbed.regularName.length) : name));
  return numbers.every((number) => /^\d{1,9}$/.test(number)) ? fold(numbers.map(Number)) : nodes.join(' ');
}

/** A lease as `--json` prints it; times in ISO 8601, UTC. `nodes` null: the whole testbed. */
export type LeaseReport = Pick<Lease, 'id' | 'owner' | 'nodes'> & { from: string; until: string; state: LeaseState; yours: boolean };

export function leaseJson(lease: Lease, nowMs: number, login: string): LeaseReport {
  const { id, owner, fromMs, untilMs, nodes } = lease;
  return {
    id,
    owner,
    from: new Date(fromMs).toISOString(),
    until: new Date(untilMs).toISOString(),
    nodes,
    state: leaseState(lease, nowMs),
    yours: owner === login,
  };
}
