import { UserError } from '../util/errors.js';
import type { Host } from '../util/host.js';
import { isObject, isText, isTexts, parseJson } from '../util/json.js';
import type { Booking, LeaseBackend, LeaseList, LeaseSettings } from './backend.js';
import { byTime, holdsNode, overlap, type Lease } from './lease.js';
import { readLeases, writeLeases, type Db } from './lease-file.js';
import { formatMoment } from './moment.js';

type LocalHost = Pick<Host, 'now' | 'login' | 'monotonicMs' | 'random'>;

/** Leases in a file that any number of processes use at the same time: what overlaps is refused, whoever comes first. */
export function createLocalLeases(settings: Pick<LeaseSettings, 'file' | 'timeoutMs'>, host: LocalHost): LeaseBackend {
  const options = { path: settings.file, timeoutMs: settings.timeoutMs, host };
  return {
    where: settings.file,
    list: (sinceMs, signal) => readLeases<LeaseList>(options, signal, { leases: [], unreadable: 0 }, (db) => select(db, sinceMs)),
    book: (booking, signal) => writeLeases(options, signal, (db) => insert(db, booking, host)),
    cancel: (id, by, signal) => writeLeases(options, signal, (db) => remove(db, id, by, host.now(), settings.file)),
    close: () => Promise.resolve(),
  };
}

function select(db: Db, sinceMs: number): LeaseList {
  const rows = db.prepare('SELECT id, owner, from_ms, until_ms, nodes FROM lease WHERE until_ms > ?').all(sinceMs);
  const leases = rows.flatMap((row) => parseRow(row) ?? []);
  return { leases: leases.sort(byTime), unreadable: rows.length - leases.length };
}

function insert(db: Db, booking: Booking, host: LocalHost): Lease {
  const taken = select(db, booking.fromMs).leases.find((lease) => overlap(lease, booking));
  if (taken) throw takenError(booking, taken, host.now());
  const nodes = booking.nodes === null ? null : JSON.stringify(booking.nodes);
  const { lastInsertRowid } = db
    .prepare('INSERT INTO lease (owner, from_ms, until_ms, nodes, booked_by, booked_ms) VALUES (?, ?, ?, ?, ?, ?)')
    .run(booking.owner, booking.fromMs, booking.untilMs, nodes, host.login(), host.now());
  return { ...booking, id: String(lastInsertRowid) };
}

function takenError(booking: Booking, taken: Lease, nowMs: number): UserError {
  const shared = booking.nodes?.filter((node) => holdsNode(taken, node)) ?? taken.nodes;
  const what =
    shared === null
      ? 'the testbed'
      : shared.length > 4
        ? `${shared.slice(0, 3).join(' ')} and ${shared.length - 3} more`
        : shared.join(' ');
  const when = `from ${formatMoment(taken.fromMs, nowMs)} until ${formatMoment(taken.untilMs, nowMs)}`;
  return new UserError(
    'refused',
    `not free at that time: ${taken.owner} has ${what} ${when} (lease ${taken.id})`,
    "'imaging-leases list' shows when it is",
  );
}

/** A lease that runs ends now, one that is yet to come goes. */
function remove(db: Db, id: string, by: string | null, nowMs: number, file: string): void {
  const row = /^\d{1,15}$/.test(id)
    ? db.prepare('SELECT id, owner, from_ms, until_ms, nodes FROM lease WHERE id = ?').get(Number(id))
    : undefined;
  const lease = parseRow(row);
  if (lease === null) throw new UserError('usage', `${file} has no lease ${JSON.stringify(id)}`, "'imaging-leases list' shows them");
  if (by !== null && lease.owner !== by)
    throw new UserError('refused', `lease ${id} belongs to ${lease.owner}`, `only ${lease.owner} and privileged users may cancel it`);
  if (lease.untilMs <= nowMs) throw new UserError('usage', `lease ${id} ended at ${formatMoment(lease.untilMs, nowMs)}`);
  if (lease.fromMs < nowMs) db.prepare('UPDATE lease SET until_ms = ? WHERE id = ?').run(nowMs, Number(id));
  else db.prepare('DELETE FROM lease WHERE id = ?').run(Number(id));
}

function parseRow(row: unknown): Lease | null {
  if (!isObject(row)) return null;
  const { id, owner, from_ms: fromMs, until_ms: untilMs } = row;
  if (typeof id !== 'number' || typeof owner !== 'string' || typeof fromMs !== 'number' || typeof untilMs !== 'number') return null;
  const nodes = parseNodes(row.nodes);
  return nodes === undefined ? null : { id: String(id), owner, fromMs, untilMs, nodes };
}

/** Undefined when it is neither NULL nor an array of names. */
function parseNodes(text: unknown): readonly string[] | null | undefined {
  if (text === null || text === undefined) return null;
  const parsed = isText(text) ? parseJson(text) : undefined;
  return isTexts(parsed) ? parsed : undefined;
}
