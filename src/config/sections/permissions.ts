import { hostname, port } from '../kinds.js';
import { section } from '../section.js';

/** Where the lease server of `leases.backend = omf` is. */
// biome-ignore format: a table, a key a line
export const permissions = section('permissions', {
  leasesServer: { key: 'leases_server', kind: hostname, default: 'faraday.inria.fr', status: 'kept', meaning: 'host of the lease server, for leases.backend = omf' },
  leasesPort: { key: 'leases_port', kind: port, default: '12346', status: 'kept', meaning: 'port of the lease server, for leases.backend = omf' },
});
