import { systemCode, UserError } from '../util/errors.js';
import type { Host } from '../util/host.js';
import type { LeaseBackend, LeaseSettings } from './backend.js';

/** The backend that the settings name, or null for `none`. Loads no more than that one needs. */
export async function createLeaseBackend(
  settings: LeaseSettings,
  host: Pick<Host, 'env' | 'now' | 'login' | 'monotonicMs' | 'random'>,
): Promise<LeaseBackend | null> {
  switch (settings.backend) {
    case 'none':
      return null;
    case 'local':
      return (await import('./local.js').catch(noLibrary)).createLocalLeases(settings, host);
    case 'omf':
      return (await import('./omf.js')).createOmfLeases(settings);
    case 'r2labapi':
      return (await import('./r2labapi.js')).createR2labLeases(settings, host);
  }
}

/** The file needs a native library, and an installation has those of the platform it was built on. */
function noLibrary(cause: unknown): never {
  if (!['MODULE_NOT_FOUND', 'ERR_DLOPEN_FAILED'].includes(systemCode(cause) ?? '')) throw cause;
  const hint = 'build the package on such a machine (npm ci && npm pack), or choose another backend in section [leases]';
  throw new UserError(
    'environment',
    `leases.backend = local: this installation has no libsql for ${process.platform}-${process.arch}`,
    hint,
    { cause },
  );
}
