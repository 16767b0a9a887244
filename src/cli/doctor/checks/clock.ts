import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { get } from 'node:http';
import { newestRuns } from '../../../runs/store.js';
import { UserError } from '../../../util/errors.js';
import { fanOut } from '../../../engine/fan-out.js';
import { ok, skipped, warning, type Check, type ConfiguredGateway, type Finding } from '../finding.js';

/** No clock that is right is before this version of imaging. */
const EARLIEST = Date.UTC(2025, 0, 1);
const MAX_SKEW_MS = 60_000;
const CARDS_ASKED = 3;
const TIMESYNCD = '/run/systemd/timesync/synchronized';
const DAEMONS: readonly (readonly [name: string, pidFiles: readonly string[], ask: string])[] = [
  ['chronyd', ['/run/chrony/chronyd.pid', '/run/chronyd.pid', '/var/run/chrony/chronyd.pid'], 'chronyc tracking'],
  ['ntpd', ['/run/ntpd.pid', '/var/run/ntpd.pid'], 'ntpq -p'],
];

/** Whether this machine's clock is plausible, and anything keeps it so. */
export const clock = {
  name: 'clock',
  needs: 'nothing',
  run: async ({ host }) => {
    const now = new Date(host.now()).toISOString();
    if (host.now() < EARLIEST)
      return [
        warning(
          `this machine says it is ${now}`,
          'leases, logs and the age of runs go by its clock',
          'date -s, and an NTP client that keeps it right: apt install systemd-timesyncd',
        ),
      ];
    if (existsSync(TIMESYNCD)) return [ok(`${now}, synchronised by systemd-timesyncd`)];
    for (const [name, pidFiles, ask] of DAEMONS) {
      if (await runs(pidFiles)) return [ok(`${now}, kept by ${name} (${ask} says how well)`)];
    }
    return [
      warning(
        `it is ${now} here; no NTP client of this machine says that it keeps the clock`,
        'leases, logs and the age of runs go by it; containers have the clock of their host',
        'timedatectl set-ntp true, or apt install systemd-timesyncd (or chrony)',
      ),
    ];
  },
} satisfies Check;

async function runs(pidFiles: readonly string[]): Promise<boolean> {
  for (const file of pidFiles) {
    const pid = Number((await readFile(file, 'utf8').catch(() => '')).trim());
    if (pid > 0 && existsSync(`/proc/${pid}`)) return true;
  }
  return false;
}

/** The clock against others: power cards that send the time, and the runs that are kept here. */
export const clockSkew = {
  name: 'clock-skew',
  needs: 'inventory',
  run: async (site, signal) => {
    const { host, config, nodes } = site;
    const {
      networking,
      nodes: { statusTimeoutMs },
    } = config;
    const outcomes = await fanOut(
      nodes.slice(0, CARDS_ASKED),
      { concurrency: CARDS_ASKED, targetDeadlineMs: statusTimeoutMs, firstStep: 'cmc', signal, host, emit: () => {} },
      async ({ target: node, signal: inner }) => {
        const at = await dateOf(node.cmc.ip, networking.cmcPort, inner);
        return at === null ? null : at - host.now();
      },
    );
    signal.throwIfAborted();
    const offsets = outcomes.flatMap((each) => (each.ok && each.value !== null ? [each.value] : []));
    const future = futureRun(site);
    if (future !== null) return [future];
    if (offsets.length === 0) return [skipped('no power card that was asked sends the time')];
    const worst = offsets.reduce((a, b) => (Math.abs(b) > Math.abs(a) ? b : a));
    if (Math.abs(worst) <= MAX_SKEW_MS)
      return [
        ok(`within ${Math.ceil(Math.abs(worst) / 1000)} s of ${offsets.length === 1 ? 'a power card' : `${offsets.length} power cards`}`),
      ];
    return [
      warning(
        `a power card is ${Math.round(Math.abs(worst) / 1000)} s ${worst > 0 ? 'ahead of' : 'behind'} this machine`,
        'one of the two clocks is wrong',
        'compare with another machine: date -u',
      ),
    ];
  },
} satisfies Check;

function futureRun({ stateDir, host }: ConfiguredGateway): Finding | null {
  try {
    const newest = newestRuns(stateDir, 1, { believed: true })[0];
    if (!newest || newest.plan.startedAt <= host.now() + MAX_SKEW_MS) return null;
    return warning(
      `run ${newest.run} began at ${new Date(newest.plan.startedAt).toISOString()}, which is in the future`,
      'the clock was set back since, or was wrong then: imaging-wait may take an old system for the new one',
      'when the clock is right now, reset the nodes once more',
    );
  } catch (error) {
    if (error instanceof UserError) return null; // said by the check of the runs
    throw error;
  }
}

/** The time that a card's web server sends along, milliseconds since 1970; null when it does not, or does not answer. */
function dateOf(ip: string, port: number, signal: AbortSignal): Promise<number | null> {
  return new Promise((resolve) => {
    const request = get({ host: ip, port, path: '/status', agent: false, signal }, (response) => {
      response.destroy();
      const at = Date.parse(response.headers.date ?? '');
      resolve(Number.isNaN(at) ? null : at);
    });
    request.on('error', () => resolve(null)); // more than once when it is aborted
  });
}
