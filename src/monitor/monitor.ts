import type { Writable } from 'node:stream';
import type { RunState } from '../events/reducer.js';
import type { EventSink } from '../events/bus.js';
import { say, sayJson } from '../util/say.js';
import { noControls, type Controls, type Monitor } from './contract.js';
import { printable } from '../util/text.js';
import { eventText } from './text.js';
import { noun } from './nouns.js';
import { bytesAndRate, overallFraction } from './format.js';

export type ProgressMode = 'auto' | 'tty' | 'plain' | 'quiet' | 'json';
export const progressModes: readonly ProgressMode[] = ['auto', 'tty', 'plain', 'quiet', 'json'];

type Env = Readonly<Record<string, string | undefined>>;

export type MonitorStreams = { stdout: Writable; stderr: NodeJS.WriteStream; host: { readonly env: Env } };

/** `auto` is a live screen on a terminal, plain lines elsewhere. A terminal that cannot move its cursor is none, nor is that of a build server. */
export function resolveMode(mode: ProgressMode, stderr: { readonly isTTY?: boolean }, env: Env): Exclude<ProgressMode, 'auto'> {
  if (mode !== 'auto' && mode !== 'tty') return mode;
  return isScreen(stderr, env) ? 'tty' : 'plain';
}

/** Whether a live screen can be drawn there. */
export function isScreen(out: { readonly isTTY?: boolean }, env: Env): boolean {
  const set = (name: string): boolean => env[name] !== undefined && env[name] !== '0' && env[name] !== 'false';
  return out.isTTY === true && env.TERM !== 'dumb' && !set('CI') && !set('CONTINUOUS_INTEGRATION'); // Ink itself draws nothing there
}

/**
 * Opens the monitor for a resolved mode; `state` is folded by whoever owns it, the monitor only reads it. `now` is the time
 * that the run is in, milliseconds since 1970; `controls` are for a live screen.
 */
export async function openMonitor(
  mode: Exclude<ProgressMode, 'auto'>,
  streams: MonitorStreams,
  state: RunState,
  verbose: boolean,
  now: () => number = Date.now,
  controls: Controls = noControls,
): Promise<Monitor> {
  switch (mode) {
    case 'quiet':
      return { sink: () => {}, close: async () => {} };
    case 'json':
      return { sink: (event) => sayJson(streams.stdout, event), close: async () => {} };
    case 'plain':
      return openPlain(streams.stderr, state, verbose);
    case 'tty': {
      const { openScreen } = await import('./screen.js');
      return openScreen(streams.stderr, streams.host.env, state, now, controls);
    }
  }
}

/** How often plain lines tell how far a target is of which nobody knows how much is to come. */
const OPEN_END_EVERY_MS = 10_000;

/** Plain lines on `out`: `+012s fit07 boot`; overall progress at every tenth. Small steps only when `verbose`. */
export function openPlain(out: Writable, state: RunState, verbose: boolean): Monitor {
  let tenth = 0;
  const toldAt = new Map<string, number>();
  const sink: EventSink = (event) => {
    const since = `+${String(Math.floor((event.at - (state.startedAt ?? event.at)) / 1000)).padStart(3, '0')}s`;
    const small =
      event.type === 'target.note' || event.type === 'server.join' || event.type === 'server.leave' || event.type === 'target.step';
    const text = !small || verbose || state.targets.size <= 40 ? eventText(event) : null;
    if (text !== null) say(out, `${since} ${text}`);
    if (event.type === 'target.progress' && event.totalBytes === 0) {
      const target = state.targets.get(event.target);
      if (target && event.at - Math.max(toldAt.get(event.target) ?? 0, target.stepAt ?? 0) >= OPEN_END_EVERY_MS) {
        toldAt.set(event.target, event.at);
        say(out, `${since} ${printable(`${event.target} ${target.step}: ${bytesAndRate(target, event.at)}`)}`);
      }
    }
    const reached = event.type === 'target.progress' ? Math.floor(overallFraction(state) * 10) : 0;
    if (reached > tenth) {
      tenth = reached;
      say(out, `${since} ${reached * 10} % of all ${noun(state.kind, 2)}`);
    }
  };
  return { sink, close: async () => {} };
}
