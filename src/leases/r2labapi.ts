import { Failure, UserError } from '../util/errors.js';
import type { Host } from '../util/host.js';
import type { Booking, LeaseBackend, LeaseList, LeaseSettings } from './backend.js';
import { isObject, isSomeText } from '../util/json.js';
import { byTime, overlap, type Lease } from './lease.js';
import { formatMoment, parseServerTime, utcText } from './moment.js';
import { createAuthorized } from './r2labapi-login.js';
import { createRest, detailOf, garbled, statusFailure, type Rest, type RestAnswer, type RestCall } from './rest.js';
import { fail } from './failures.js';

const DEFAULT_URL = 'https://r2labapi.inria.fr';
/** The server gives leases from a day on; a lease that began before today may still run. */
const LOOKBACK_DAYS = 7;
const DAY_MS = 86_400_000;

/**
 * The leases of an R2lab API: the whole testbed is one resource, and a lease is of a slice whose name is a login. Leases
 * are read without a login; booking and cancelling need a token, or email and password.
 */
export function createR2labLeases(settings: LeaseSettings, host: Pick<Host, 'env' | 'now'>): LeaseBackend {
  const where = (settings.url ?? DEFAULT_URL).replace(/\/+$/, '');
  const rest = createRest({ baseUrl: where, timeoutMs: settings.timeoutMs, verifyTls: settings.verifyTls });
  const authorized = createAuthorized(rest, where, settings, host.env);
  const list = (sinceMs: number, signal: AbortSignal): Promise<LeaseList> => listLeases(rest, where, sinceMs, host.now(), signal);
  return {
    where,
    list,
    book: async (booking, signal) => {
      await checkGranularity(authorized, where, settings.resourceName, booking, signal);
      const body = {
        resource_name: settings.resourceName,
        slice_name: booking.owner,
        t_from: utcText(booking.fromMs),
        t_until: utcText(booking.untilMs),
      };
      const answer = await authorized({ method: 'POST', path: '/leases', body }, signal).catch((error: unknown) => {
        throw isSilence(error) ? unsure(error) : error;
      });
      if (answer.status === 409) throw await conflict(booking, answer, list, host.now(), signal);
      if (answer.status < 200 || answer.status > 299) throw judged(`POST ${where}/leases`, answer);
      const lease = parseR2labLease(answer.body);
      if (lease === null) throw garbled(`POST ${where}/leases`, answer.text);
      return lease;
    },
    cancel: async (id, _by, signal) => {
      const path = `/leases/${encodeURIComponent(id)}`;
      const answer = await authorized({ method: 'DELETE', path }, signal);
      if (answer.status === 404)
        throw new UserError('usage', `${where} has no lease ${JSON.stringify(id)}`, "'imaging-leases list --all' shows them");
      if (answer.status < 200 || answer.status > 299) throw judged(`DELETE ${where}${path}`, answer);
    },
    close: () => rest.close(),
  };
}

async function listLeases(rest: Rest, where: string, sinceMs: number, nowMs: number, signal: AbortSignal): Promise<LeaseList> {
  const today = nowMs - (nowMs % DAY_MS); // 00:00 UTC
  const path = `/leases?after=${encodeURIComponent(utcText(today - LOOKBACK_DAYS * DAY_MS))}`;
  const asked = `GET ${where}/leases`;
  const answer = await rest.send({ method: 'GET', path }, signal);
  if (answer.status !== 200) throw statusFailure(asked, answer);
  if (!Array.isArray(answer.body)) throw garbled(asked, answer.text);
  const leases = answer.body.flatMap((entry: unknown) => parseR2labLease(entry) ?? []);
  const unreadable = answer.body.length - leases.length;
  return { leases: leases.filter((lease) => lease.untilMs > sinceMs).sort(byTime), unreadable };
}

/** {id, resource_id, slice_id, slice_name, t_from, t_until}; null when it is no such thing. */
export function parseR2labLease(entry: unknown): Lease | null {
  if (!isObject(entry) || !isSomeText(entry.slice_name) || (typeof entry.id !== 'number' && !isSomeText(entry.id))) return null;
  try {
    return {
      id: String(entry.id),
      owner: entry.slice_name,
      fromMs: parseServerTime(entry.t_from),
      untilMs: parseServerTime(entry.t_until),
      nodes: null,
    };
  } catch (error) {
    if (error instanceof Failure) return null;
    throw error;
  }
}

type Authorized = (call: RestCall, signal: AbortSignal) => Promise<RestAnswer>;

/** Leases of the resource begin and end at multiples of its granularity, seconds: says so before the server does. */
async function checkGranularity(
  send: Authorized,
  where: string,
  name: string,
  { fromMs, untilMs }: Booking,
  signal: AbortSignal,
): Promise<void> {
  const path = `/resources/by-name/${encodeURIComponent(name)}`;
  const answer = await send({ method: 'GET', path }, signal);
  if (answer.status === 404)
    throw new UserError('environment', `${where} has no resource ${JSON.stringify(name)}`, 'set resource_name in section [leases]');
  if (answer.status !== 200) throw judged(`GET ${where}${path}`, answer);
  const granularityS = isObject(answer.body) ? answer.body.granularity : null;
  if (typeof granularityS !== 'number' || !(granularityS > 0)) return;
  if (fromMs % (granularityS * 1000) === 0 && untilMs % (granularityS * 1000) === 0) return;
  throw new UserError(
    'usage',
    `leases of ${name} begin and end at multiples of ${granularityS % 60 === 0 ? `${granularityS / 60} minutes` : `${granularityS} s`}`,
    'give full hours to be safe',
  );
}

/** Who has it at that time, if the server says. */
async function conflict(
  booking: Booking,
  answer: RestAnswer,
  list: (sinceMs: number, signal: AbortSignal) => Promise<LeaseList>,
  nowMs: number,
  signal: AbortSignal,
): Promise<UserError> {
  const found = await list(booking.fromMs, signal).catch(() => null); // the refusal counts, with or without a name
  signal.throwIfAborted();
  const other = found?.leases.find((lease) => overlap(lease, booking));
  const why = other ? takenText(other, nowMs) : `the server says ${detailOf(answer.text)}`;
  return new UserError('refused', `the testbed is not free at that time: ${why}`, "'imaging-leases list' shows when it is");
}

/** `bob has it from 14:00 CET until 15:00 CET (lease 12)`. */
function takenText(lease: Lease, nowMs: number): string {
  return `${lease.owner} has it from ${formatMoment(lease.fromMs, nowMs)} until ${formatMoment(lease.untilMs, nowMs)} (lease ${lease.id})`;
}

function judged(asked: string, answer: RestAnswer): Error {
  if (answer.status === 403)
    return new UserError('refused', `${asked} was refused: ${detailOf(answer.text)}`, 'is that slice yours, and may it book?');
  if (answer.status === 400 || answer.status === 422) return new UserError('usage', `${asked} was refused: ${detailOf(answer.text)}`);
  return statusFailure(asked, answer);
}

function isSilence(error: unknown): error is Failure {
  return fail.is(error, 'lease-api-silent', 'lease-api-closed');
}

function unsure(error: Failure): Failure {
  return error.with({ message: `${error.message}; it may be booked all the same`, hint: "'imaging-leases list' tells" });
}
