import type { NodeChange, NodeFacts, NodeView } from '../../events/node-view.js';

/** A change in words: `off, no ssh`, `ssh, Fedora Linux 21, image mine`. */
export function changeText({ now, was }: Pick<NodeChange, 'now' | 'was'>): string {
  const words: string[] = [];
  if (now.cmc !== undefined) words.push(now.cmc === 'silent' ? 'card silent' : `power ${now.cmc ?? 'unknown'}`);
  if (now.usrp !== undefined) words.push(`usrp ${now.usrp ?? 'unknown'}`);
  if (now.ping !== undefined) words.push(now.ping ? 'answers ping' : 'no ping');
  if (now.ssh !== undefined) words.push(now.ssh === 'yes' ? 'ssh' : now.ssh === 'no-login' ? 'ssh lets nobody in' : 'no ssh');
  if (typeof now.osRelease === 'string') words.push(now.osRelease);
  if (typeof now.image === 'string') words.push(`image ${imageName(now.image)}`);
  if (typeof now.bootId === 'string' && typeof was.bootId === 'string') words.push('has rebooted');
  if (now.holder !== undefined) words.push(now.holder ? holderText(now.holder) : 'held no more');
  return words.length > 0 ? words.join(', ') : 'its system tells less than before';
}

export function holderText({ login, run }: NonNullable<NodeFacts['holder']>): string {
  return `held by ${login} (run ${run})`;
}

/** The name in a stamp such as `2026-11-26@05:00 - node fit07 - image mine - by alice`, else all of it. */
export function imageName(stamp: string): string {
  return / - image (.+?) - by /.exec(stamp)?.[1] ?? stamp;
}

/** How a node fares: `trouble` has to be looked at. */
export type Condition = 'trouble' | 'held' | 'coming' | 'up' | 'off' | 'unknown';

/** A node may be between two states for so long. */
const PATIENCE_MS = 120_000;

export function conditionOf(state: NodeView, nowMs: number): Condition {
  const { cmc, ping, ssh, holder, since } = state;
  if (holder) return 'held';
  if (cmc === 'silent' || ssh === 'no-login') return 'trouble';
  const answers = ssh === 'yes' || ping === true;
  const late = nowMs - since > PATIENCE_MS;
  if (cmc === 'off') return answers ? (late ? 'trouble' : 'coming') : 'off';
  if (ssh === 'yes') return 'up';
  return cmc === null ? 'unknown' : late ? 'trouble' : 'coming';
}
