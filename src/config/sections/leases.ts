import { boolean, choice, httpUrl, logins, optional, path, seconds, text } from '../kinds.js';
import { section } from '../section.js';

/** Who knows which user has the testbed when. */
// biome-ignore format: a table, a key a line
export const leases = section('leases', {
  backend: { key: 'backend', kind: choice('none', 'local', 'omf', 'r2labapi'), default: 'none', status: 'new', meaning: 'who knows which user has the testbed when: nobody, a file of this machine, an OMF server, or an R2lab API' },
  file: { key: 'file', kind: path, default: '/var/lib/imaging/leases/leases.db', status: 'new', meaning: 'the file of leases, for backend = local; who books must be allowed to write it and its folder' },
  /** Null: the backend's usual place. */
  url: { key: 'url', kind: optional(httpUrl), default: '', status: 'new', meaning: 'where the lease server is; empty: https://permissions.leases_server:leases_port for omf, https://r2labapi.inria.fr for r2labapi' },
  resourceName: { key: 'resource_name', kind: text, default: 'r2lab.inria.fr', status: 'new', meaning: 'what the whole testbed is called there, as one resource' },
  token: { key: 'token', kind: optional(text), default: '', status: 'new', secret: true, meaning: 'access token, for booking with backend = r2labapi' },
  email: { key: 'email', kind: optional(text), default: '', status: 'new', meaning: 'who books with backend = r2labapi; the variable R2LABAPI_EMAIL overrides' },
  password: { key: 'password', kind: optional(text), default: '', status: 'new', secret: true, meaning: 'the password that goes with email; the variable R2LABAPI_PASSWORD overrides' },
  privileged: { key: 'privileged', kind: logins, default: 'root,guest', status: 'new', meaning: 'logins that need no lease' },
  timeoutMs: { key: 'timeout', kind: seconds(0.1), default: '5', unit: 's', status: 'new', meaning: 'how long the lease server, or a busy file of leases, may take for one request' },
  verifyTls: { key: 'verify_tls', kind: boolean, default: 'yes', status: 'new', meaning: "whether the lease server's certificate must be valid" },
});
