import type { Lease } from './lease.js';

/** What the configuration says about leases. Times in milliseconds; null stands for an empty key. */
export type LeaseSettings = {
  backend: 'none' | 'local' | 'omf' | 'r2labapi';
  file: string;
  url: string | null;
  resourceName: string;
  token: string | null;
  email: string | null;
  password: string | null;
  timeoutMs: number;
  verifyTls: boolean;
  /** Where the omf backend asks when `url` is null. */
  leasesServer: string;
  leasesPort: number;
};

/** `unreadable` counts the entries of a server's answer that made no sense and were left out. */
export type LeaseList = { leases: Lease[]; unreadable: number };

export type Booking = Omit<Lease, 'id'>;

/**
 * Where leases are kept. Everything rejects with a Failure (`lease-api-…`, `lease-file-…`) when the backend cannot be
 * asked, with a UserError for what the person must change, or with the signal's reason; every request has its deadline.
 */
export type LeaseBackend = {
  /** For messages: a file or a URL. */
  where: string;
  /** The leases that end after `sinceMs`, by beginning. */
  list(sinceMs: number, signal: AbortSignal): Promise<LeaseList>;
  /** Books; a UserError `refused` says who has it when it is not free. */
  book(booking: Booking, signal: AbortSignal): Promise<Lease>;
  /** Gives a lease back; `by` may be its owner, or anybody when null. */
  cancel(id: string, by: string | null, signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
};
