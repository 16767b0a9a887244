/** A pause that a peer makes necessary: at least `fromMs`, half as long again each time, up to `toMs`. */
type Patience = { fromMs: number; growth: number; toMs: number };

/**
 * OpenSSH 9.8 and later counts 5 s for each connection that fails to authenticate and 1 s for one that does not try, and
 * shuts an address out from 15 s on: for everybody on this machine. Time takes off as much as it lasts.
 */
const PATIENCE: Readonly<Record<string, Patience>> = {
  'ssh-auth-failed': { fromMs: 15_000, growth: 1.25, toMs: 60_000 },
  'ssh-no-algorithm': { fromMs: 15_000, growth: 1.25, toMs: 60_000 },
  'ssh-shut-out': { fromMs: 5_000, growth: 1.25, toMs: 15_000 },
  'ssh-closed': { fromMs: 1_000, growth: 1.5, toMs: 5_000 },
  'ssh-protocol': { fromMs: 1_000, growth: 1.5, toMs: 5_000 },
};

/** How long to wait for an sshd after the `times`th failure of this kind in a row, milliseconds; 0: nothing makes it necessary. */
export function sshPatienceMs(code: string, times: number): number {
  const patience = PATIENCE[code];
  return patience === undefined ? 0 : Math.min(patience.toMs, patience.fromMs * patience.growth ** (times - 1));
}
