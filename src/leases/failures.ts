import { failures } from '../util/failures.js';

/** What can fail with leases. */
export const fail = failures('Leases', {
  'no-lease': {
    blame: 'run',
    cure: 'person',
    meaning: 'The user has no lease on the node now.',
    todo: 'Book one with imaging-leases, or wait until yours begins.',
    refusal: true,
  },
  'lease-unknown': {
    blame: 'site',
    cure: 'person',
    meaning: 'Nobody can tell whether the user has a lease, as the lease server or file cannot be asked.',
    todo: 'Try again once it answers; the message says why it does not.',
    refusal: true,
  },
  'lease-file-busy': {
    blame: 'run',
    cure: 'again',
    meaning: 'Other processes had the file of leases for all of leases.timeout.',
    todo: 'Try again.',
  },
  'lease-file-failed': {
    blame: 'site',
    cure: 'person',
    meaning: 'The file of leases cannot be read or written.',
    todo: 'See the cause in the message.',
  },
  'lease-api-silent': {
    blame: 'site',
    cure: 'again',
    meaning: 'The lease server did not answer within leases.timeout.',
    todo: 'Look whether it runs, and whether leases.url is right.',
  },
  'lease-api-refused': {
    blame: 'site',
    cure: 'again',
    meaning: 'Nothing listens where the lease server should.',
    todo: 'Look whether it runs, and whether leases.url is right.',
  },
  'lease-api-unreachable': {
    blame: 'site',
    cure: 'again',
    meaning: 'There is no way to the lease server.',
    todo: 'Look at the network, and whether leases.url is right.',
  },
  'lease-api-closed': {
    blame: 'site',
    cure: 'again',
    meaning: 'The connection to the lease server was lost.',
    todo: 'Try again.',
  },
  'lease-api-tls': {
    blame: 'site',
    cure: 'person',
    meaning: 'The certificate of the lease server is not valid, or it does not speak TLS.',
    todo: 'Look at leases.url and leases.verify_tls, or add its authority with NODE_EXTRA_CA_CERTS.',
  },
  'lease-api-garbled': {
    blame: 'site',
    cure: 'person',
    meaning: 'The lease server gave an answer that no such server gives, or one longer than 4 MiB.',
    todo: 'Look whether leases.url and leases.backend are right.',
  },
  'lease-api-http-*': {
    blame: 'site',
    cure: 'again',
    meaning: 'The lease server answered with that HTTP status.',
    todo: 'See in the message what it says, and whether leases.url is right.',
  },
});
