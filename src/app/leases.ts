import { createLeaseBackend } from '../leases/create-backend.js';
import type { LeaseBackend } from '../leases/backend.js';
import { createPermit, type LeasePermit } from '../leases/lease-check.js';
import { Failure, messageOf, UserError } from '../util/errors.js';
import { withDeadline } from '../util/abort.js';
import type { Permit } from '../workflows/steps/may-act.js';
import type { Host } from '../util/host.js';
import type { AppContext } from './context.js';
import type { WorkflowTools } from './node-workflow.js';
import type { Site } from './site.js';
import { fail as leaseFail } from '../leases/failures.js';

/** What a run that changes nodes needs to know about leases. */
export type RunPermit = {
  /** What was found out before there is a run to tell it to. */
  warnings: readonly string[];
  /** To be asked before each step that cannot be taken back; null when no lease is needed. */
  check: Permit | null;
  /** Connects warnings that come up later with the run, and its end with the closing of connections. */
  attach(tools: Pick<WorkflowTools, 'emit' | 'undo'>): void;
  /** Closes connections when the run is not to be. */
  abandon(): Promise<void>;
};

/** A status must not wait for a lease server longer than this. */
const ADVICE_MS = 1_000;

/**
 * Refuses a run whose user has a lease on none of its nodes, before anything is touched. With a lease on some of them the
 * run begins, and `check` refuses the others. Privileged users need none, and no server is asked for them.
 *
 * @throws UserError `refused` without a lease, when it cannot be told, and for --force-lease of who is not privileged
 */
export async function requirePermit(
  nodes: readonly string[],
  forceLease: boolean,
  site: Site,
  context: Pick<AppContext, 'host' | 'signal'>,
): Promise<RunPermit> {
  const login = context.host.login();
  const privileged = site.config.leases.privileged.includes(login);
  if (forceLease && !privileged)
    throw new UserError(
      'refused',
      `--force-lease is for privileged users, and ${login} is none`,
      'leases.privileged in the configuration lists them',
    );
  const warnings = forceLease && site.config.leases.backend !== 'none' ? [`no lease is asked for: --force-lease by ${login}`] : [];
  const backend = privileged ? null : await openLeases(site, context.host);
  if (backend === null) return { warnings, check: null, attach: () => {}, abandon: async () => {} };
  const voice: { tell: (text: string) => void } = { tell: (text) => warnings.push(text) };
  const permit = createPermit({ backend, owner: login, host: context.host, onSilence: (text) => voice.tell(text) });
  const close = (): Promise<void> => closeAll(permit, backend);
  try {
    await refuseWithout(permit, nodes, login, context.signal);
  } catch (error) {
    await close();
    throw error;
  }
  return {
    warnings,
    check: (node, signal) => permit.check(node, signal),
    attach: ({ emit, undo }) => {
      voice.tell = (text) => emit({ type: 'run.warning', text });
      undo.push('closing the connections to the lease server', close);
    },
    abandon: close,
  };
}

async function refuseWithout(permit: LeasePermit, nodes: readonly string[], login: string, signal: AbortSignal): Promise<void> {
  const refusals = await permit.initial(nodes, signal).catch((error: unknown) => {
    throw error instanceof Failure ? new UserError('refused', error.message, error.hint, { cause: error }) : error;
  });
  const [first] = refusals.values();
  if (first === undefined || refusals.size < nodes.length) return;
  const message = nodes.length === 1 ? first.message : `${login} has a lease on none of these ${nodes.length} nodes; ${first.message}`;
  throw new UserError('refused', message, first.hint);
}

/**
 * For commands that change nothing: a warning when the user has no lease, or when that cannot be told soon. Never
 * rejects, but for the run's own end.
 */
export async function adviseOnLeases(
  site: Site,
  nodes: readonly string[],
  tools: Pick<WorkflowTools, 'host' | 'emit' | 'signal'>,
): Promise<void> {
  const { host } = tools;
  const login = host.login();
  if (site.config.leases.backend === 'none' || site.config.leases.privileged.includes(login)) return;
  const warn = (text: string): void => tools.emit({ type: 'run.warning', text });
  let close = (): Promise<void> => Promise.resolve();
  try {
    const late = (): Failure =>
      leaseFail('lease-unknown', `the lease server did not answer within ${ADVICE_MS / 1000} s: cannot tell whether ${login} has a lease`);
    await withDeadline(tools.signal, ADVICE_MS, late, async (signal) => {
      const backend = await openLeases(site, host);
      if (backend === null) return;
      const permit = createPermit({ backend, owner: login, host });
      close = () => closeAll(permit, backend);
      const refused = [...(await permit.initial(nodes, signal)).values()];
      const [first] = refused;
      if (first)
        warn(
          refused.length === 1
            ? first.message
            : `${login} has no lease on ${refused.length} of these ${nodes.length} nodes; ${first.message}`,
        );
    });
  } catch (error) {
    if (!tools.signal.aborted) warn(messageOf(error));
  } finally {
    await close();
  }
}

/** The backend that the configuration names, or null for none. */
export function openLeases(site: Pick<Site, 'config'>, host: Host): Promise<LeaseBackend | null> {
  const { leases, permissions } = site.config;
  return createLeaseBackend({ ...leases, ...permissions }, host);
}

async function closeAll(permit: LeasePermit, backend: LeaseBackend): Promise<void> {
  permit.close();
  await backend.close();
}
