import { UserError } from '../util/errors.js';
import type { Who } from './who.js';

/** The file pxelinux reads for one machine: ARP type 1 and its MAC, `01-00-03-1d-0e-03-53`. Throws a UserError for no MAC. */
export function linkName(mac: string): string {
  if (!/^[0-9a-f]{2}([:-][0-9a-f]{2}){5}$/i.test(mac)) {
    throw new UserError('environment', `'${mac}' is not a MAC address`, 'correct it in the inventory');
  }
  return `01-${mac.toLowerCase().replaceAll(':', '-')}`;
}

/** The owner record of a link: `.imaging-01-….json`. */
export function recordName(link: string): string {
  return `.imaging-${link}.json`;
}

/** The link a file name is the record of, or null. */
export function linkOfRecord(name: string): string | null {
  return /^\.imaging-(01(?:-[0-9a-f]{2}){6})\.json$/.exec(name)?.[1] ?? null;
}

/** A claim to replace or remove the file whose contents have this token. */
export function claimName(token: string): string {
  return `.imaging-claim-${token}`;
}

export function tokenOfClaim(name: string): string | null {
  return /^\.imaging-claim-([0-9a-f]{32})$/.exec(name)?.[1] ?? null;
}

/** A name for something not yet in place; it tells whose it is, for the sweeper. */
export function temporaryName({ process, machine }: Who, unique: string): string {
  const { pid, startTime, bootId } = process;
  return `.imaging-tmp.${pid}.${startTime}.${bootId}.${machine?.pidNamespace ?? ''}.${machine?.id ?? ''}.${unique}`;
}

/** Whose an unfinished file is, or null; names of earlier versions say less. */
export function ownerOfTemporary(name: string): Who | null {
  const found = /^\.imaging-tmp\.(\d{1,10})\.(\d{1,20})\.([0-9a-f-]+)(?:\.(\d*)\.([0-9a-f]*))?\.[0-9a-z]+$/.exec(name);
  const [, pid, startTime, bootId, pidNamespace, id] = found ?? [];
  if (!pid || !startTime || !bootId) return null;
  return {
    process: { pid: Number(pid), startTime, bootId },
    machine: pidNamespace === undefined || id === undefined ? null : { id, pidNamespace },
  };
}
