import { Failure, UserError } from '../util/errors.js';
import type { LeaseBackend, LeaseList, LeaseSettings } from './backend.js';
import { isObject, isSomeText } from '../util/json.js';
import { byTime, type Lease } from './lease.js';
import { parseServerTime } from './moment.js';
import { createRest, garbled, statusFailure } from './rest.js';

const READ_ONLY = 'book on the site of the testbed; imaging only reads the leases of an OMF server';

/**
 * The leases of an OMF server (omf_sfa): GET /resources/leases, read without a login. The answer's
 * `resource_response.resources` are leases with `account.name` (the owner), `components` with a `name` each (control host
 * names), `valid_from` and `valid_until`. A component called as `leases.resource_name` stands for the whole testbed.
 */
export function createOmfLeases(settings: LeaseSettings): LeaseBackend {
  const where = settings.url ?? `https://${settings.leasesServer}:${settings.leasesPort}`;
  const rest = createRest({ baseUrl: where, timeoutMs: settings.timeoutMs, verifyTls: settings.verifyTls });
  return {
    where,
    list: async (sinceMs, signal) => {
      const asked = `GET ${where.replace(/\/+$/, '')}/resources/leases`;
      const answer = await rest.send({ method: 'GET', path: '/resources/leases' }, signal);
      if (answer.status !== 200) throw statusFailure(asked, answer);
      const list = parseOmfLeases(answer.body, settings.resourceName);
      if (list === null) throw garbled(asked, answer.text);
      return { ...list, leases: list.leases.filter((lease) => lease.untilMs > sinceMs) };
    },
    book: () => Promise.reject(new UserError('usage', `${where} takes no booking from here`, READ_ONLY)),
    cancel: () => Promise.reject(new UserError('usage', `${where} takes no cancelling from here`, READ_ONLY)),
    close: () => rest.close(),
  };
}

/** All leases of an answer, by beginning; null when it is none. */
export function parseOmfLeases(body: unknown, resourceName: string): LeaseList | null {
  const response = isObject(body) ? body.resource_response : null;
  const resources = isObject(response) ? response.resources : null;
  if (!Array.isArray(resources)) return null;
  const leases = resources.flatMap((entry: unknown) => parseOmfLease(entry, resourceName) ?? []);
  return { leases: leases.sort(byTime), unreadable: resources.length - leases.length };
}

function parseOmfLease(entry: unknown, resourceName: string): Lease | null {
  if (!isObject(entry) || !isObject(entry.account) || !isSomeText(entry.account.name) || !Array.isArray(entry.components)) return null;
  const names = entry.components.flatMap((component: unknown) => (isObject(component) && isSomeText(component.name) ? component.name : []));
  if (names.length < entry.components.length) return null;
  try {
    const [fromMs, untilMs] = [parseServerTime(entry.valid_from), parseServerTime(entry.valid_until)];
    const id = [entry.uuid, entry.urn, entry.name].find(isSomeText) ?? `${entry.account.name}@${fromMs / 1000}`;
    return { id, owner: entry.account.name, fromMs, untilMs, nodes: names.includes(resourceName) ? null : names };
  } catch (error) {
    if (error instanceof Failure) return null;
    throw error;
  }
}
