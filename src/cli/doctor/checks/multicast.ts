import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { MulticastSlot } from '../../../config/patterns.js';
import { openSession, type SessionSockets } from '../../../frisbee/sockets.js';
import { sleep } from '../../../util/abort.js';
import { messageOf, systemCode } from '../../../util/errors.js';
import { ok, problem, skipped, type Check, type Finding } from '../finding.js';
import { firewallRules } from '../firewall.js';
import { controlIp, interfaceOf, setting } from '../network.js';
import { fail as frisbeeFail } from '../../../frisbee/failures.js';

const TRIES = 4;
const PAUSE_MS = 150;
/** How long the last datagram may take; on one machine it takes microseconds. */
const PATIENCE_MS = 1_000;
/** How many slots are tried: those in use by loads are left alone. */
const SLOTS_TRIED = 20;

/** Sends a real datagram to a group of the patterns through the control interface, and hears whether it comes back. */
export const multicast = {
  name: 'multicast',
  needs: 'inventory',
  run: async (site, signal) => {
    const localIp = await controlIp(site);
    if ((await interfaceOf(localIp)) === null) return [skipped(`${localIp} is no address of this machine: see control-network`)];
    // from the last slot down, as loads take them from the first up
    for (const slot of [...site.config.networking.slots].reverse().slice(0, SLOTS_TRIED)) {
      const finding = await probe(slot, localIp, signal);
      if (finding !== 'in-use') return [finding];
    }
    return [skipped('every multicast group of the patterns is in use by a load')];
  },
} satisfies Check;

async function probe({ group, port }: MulticastSlot, localIp: string, signal: AbortSignal): Promise<Finding | 'in-use'> {
  const payload = Buffer.from(`imaging-doctor ${randomBytes(8).toString('hex')}`);
  const heard = new AbortController();
  let sockets: SessionSockets;
  try {
    sockets = await openSession(
      { group, port, localIp, loopback: true },
      (bytes) => {
        if (bytes.equals(payload)) heard.abort();
      },
      () => {},
    );
  } catch (error) {
    if (frisbeeFail.is(error, 'address-in-use')) return 'in-use';
    throw error;
  }
  try {
    const problems = await sendUntilHeard(sockets, payload, group, heard.signal, signal);
    if (heard.signal.aborted) return ok(`${group}:${port} from ${localIp}: sent and received`);
    return problems.length > 0 ? unsent(group, port, localIp, problems) : await unheard(group, port, localIp);
  } finally {
    await sockets.close();
  }
}

/** Resolves when it was heard, or patience is over; returns why datagrams could not be sent, when none could. */
async function sendUntilHeard(
  sockets: SessionSockets,
  payload: Buffer,
  group: string,
  heard: AbortSignal,
  signal: AbortSignal,
): Promise<Error[]> {
  const problems: Error[] = [];
  for (let sent = 0; sent < TRIES && !heard.aborted; sent += 1) {
    await new Promise<void>((resolve) =>
      sockets.send(payload, group, (error) => {
        if (error) problems.push(error);
        resolve();
      }),
    );
    const over = sleep(sent === TRIES - 1 && problems.length < TRIES ? PATIENCE_MS : PAUSE_MS, signal);
    if (!heard.aborted) await Promise.race([over, once(heard, 'abort', { signal })]);
    void over.catch(() => {});
  }
  return problems.length === TRIES ? problems : [];
}

async function unsent(group: string, port: number, localIp: string, problems: readonly Error[]): Promise<Finding> {
  const [first] = problems;
  const code = systemCode(first) ?? messageOf(first);
  const what = `cannot send to ${group}:${port} from ${localIp} (${code})`;
  if (code === 'EPERM' || code === 'EACCES')
    return problem(
      what,
      `the firewall of this machine keeps such datagrams from leaving${await rulesSeen()}`,
      `nft insert rule inet filter output ip daddr 224.0.0.0/4 udp dport ${port} accept (with the names of your table and chain), or: iptables -I OUTPUT -d 224.0.0.0/4 -j ACCEPT`,
    );
  if (code === 'ENETUNREACH' || code === 'EHOSTUNREACH') {
    const name = (await interfaceOf(localIp))?.name ?? 'DEVICE';
    return problem(what, 'there is no route to multicast groups', `ip route add 224.0.0.0/4 dev ${name}`);
  }
  return problem(what, null, 'is the interface up? ip -br address');
}

async function unheard(group: string, port: number, localIp: string): Promise<Finding> {
  const name = (await interfaceOf(localIp))?.name ?? 'all';
  const filters = ['all', name].map((each) => setting(`/proc/sys/net/ipv4/conf/${each}/rp_filter`) ?? '?');
  return problem(
    `${TRIES} datagrams to ${group}:${port} were sent from ${localIp} (${name}), and none of them was received on this machine`,
    `a firewall throws them away on arrival${await rulesSeen()}; rp_filter is ${filters[0]} (all), ${filters[1]} (${name})`,
    'look: nft list ruleset; iptables -nvL INPUT (their counters go up with each try of this check)',
    `let them in: nft insert rule inet filter input ip daddr 224.0.0.0/4 accept (with the names of your table and chain), or: iptables -I INPUT -d 224.0.0.0/4 -j ACCEPT`,
    `nodes send requests to the groups as well: let UDP ports such as ${port} in on ${name}; see networking.pattern_port`,
  );
}

async function rulesSeen(): Promise<string> {
  const rules = await firewallRules();
  if (rules === null) return ' (run imaging-doctor as root to see its rules here)';
  return rules.length === 0 ? ' (no rule that drops is to be seen here)' : `; rules that drop: ${rules.join(' | ')}`;
}
