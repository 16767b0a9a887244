import { targetsIn, type RunState, type TargetState } from '../events/reducer.js';
import type { TargetKind } from '../events/work.js';
import { bar, bytesAndRate, fit, formatBytes, formatDuration, targetFraction, overallFraction } from './format.js';
import { leavingQuestion } from './leaving.js';
import { noun } from './nouns.js';
import { noPace, type Pace } from './pace.js';
import { doneText } from './result-text.js';
import { targetRows } from './target-rows.js';
import type { Row, Tone } from './row.js';
import { firstView, type View } from './view.js';
import { windowAround } from './visible-part.js';

/** What is shown of a run besides its state. */
export type Shown = {
  view: View;
  pace: Pace;
  /** Whether there is somebody to press keys. */
  keys: boolean;
  /** Whether q ends the run, or only stops looking at it. */
  asks: boolean;
  /** The last `count` lines of what a target has said. */
  log(target: string, count: number): string[];
};

export const plainly: Shown = { view: firstView, pace: noPace, keys: false, asks: true, log: () => [] };

const order: Record<TargetState['phase'], number> = { failed: 0, active: 1, waiting: 2, skipped: 3, done: 4 };
const looks: Record<TargetState['phase'], { symbol: string; tone: Tone }> = {
  failed: { symbol: 'x', tone: 'bad' },
  active: { symbol: '>', tone: 'active' },
  waiting: { symbol: '.', tone: 'quiet' },
  skipped: { symbol: '-', tone: 'quiet' },
  done: { symbol: '+', tone: 'good' },
};
/** Terminals with fewer columns get fewer words. */
const NARROW = 60;
/** A step that takes so long shows how long. */
const LONG_STEP_MS = 10_000;

/**
 * What a terminal of `width` x `height` shows of a run: at most `height - 2` rows, so that no terminal ever scrolls.
 * Failed and active targets first; what does not fit is folded into one line.
 */
export function renderRows(state: RunState, width: number, height: number, nowMs: number, shown: Shown = plainly): Row[] {
  if (state.command === '') return []; // nothing has begun
  const room = Math.max(0, height - 2);
  const head = headRows(state, width, height, nowMs, shown.pace);
  const foot = footRows(state, shown, room, width);
  const space = room - head.length - foot.length;
  const body = space > 0 ? bodyRows(state, space, width, nowMs, shown) : [];
  return [...head, ...body, ...foot].slice(0, room).map((row) => ({ ...row, text: fit(row.text, width) }));
}

/** The targets that the list shows, from top to bottom: those that give trouble first, else in the order of the selection. */
export function listedTargets(state: RunState, view: View): TargetState[] {
  const targets = [...state.targets.values()].filter(({ phase }) => !view.failedOnly || phase === 'failed');
  return targets.sort((a, b) => order[a.phase] - order[b.phase] || (a.phase === 'active' ? b.attempt - a.attempt : 0));
}

/** What stands above the targets: the whole run. */
export function headRows(state: RunState, width: number, height: number, nowMs: number, pace: Pace): Row[] {
  const elapsed = formatDuration(state.finished?.elapsedMs ?? (state.startedAt === null ? 0 : nowMs - state.startedAt));
  const fraction = overallFraction(state);
  if (height < 8) return [{ text: `${percent(fraction)} ${counts(state)} ${elapsed}`, tone: 'head' }];
  const speed = `${etaText(pace, width)}${rateText(state, pace)}`;
  const barWidth = Math.max(8, Math.min(50, width - 10 - speed.length));
  return [
    { text: `imaging-${state.command}  ${elapsed}  ${counts(state)}`, tone: 'head' },
    { text: `[${bar(fraction, barWidth)}] ${percent(fraction)}${speed}`, tone: 'active' },
  ];
}

function counts(state: RunState): string {
  const words = [
    ['done', 'ok'],
    ['failed', 'FAILED'],
    ['active', 'active'],
    ['waiting', 'waiting'],
    ['skipped', 'skipped'],
  ] as const;
  const parts = words.flatMap(([phase, word]) =>
    phase === 'done' || targetsIn(state, phase).length > 0 ? [`${targetsIn(state, phase).length} ${word}`] : [],
  );
  return `${parts.join(', ')} of ${state.targets.size}`;
}

function etaText({ etaMs, open }: Pace, width: number): string {
  if (etaMs === null) return '';
  const seconds = Math.round(etaMs / 1000);
  return `  ETA ${seconds < 60 ? `${seconds} s` : formatDuration(seconds * 1000)}${open ? (width < NARROW ? '+' : ' or more') : ''}`;
}

function rateText({ server, targets }: RunState, { rateBps }: Pace): string {
  if (![...targets.values()].some(({ phase, facts }) => phase === 'active' && facts?.moves === 'bytes')) return ''; // nobody listens to the server
  if (server && server.sentBlocks > 0) return `  ${Math.round(server.rateBps / 1e6)} Mbit/s`;
  return rateBps === null || rateBps < 1 ? '' : `  ${formatBytes(Math.round(rateBps))}/s`;
}

function footRows(state: RunState, { view, keys, asks }: Shown, room: number, width: number): Row[] {
  const texts = view.mode === 'leave' ? leavingQuestion(state, width) : keys && room >= 8 ? [keyText(state, view, asks, width)] : [];
  const rows = texts.map((text): Row => ({ text, tone: view.mode === 'leave' ? 'chosen' : 'quiet' }));
  const warning = state.warnings.at(-1);
  if (warning !== undefined && room >= 12)
    rows.unshift({ text: `! warning: ${warning}${state.warnings.length > 1 ? ` (${state.warnings.length} in all)` : ''}`, tone: 'bad' });
  return rows;
}

function keyText({ kind }: RunState, { mode, failedOnly }: View, asks: boolean, width: number): string {
  if (mode === 'choose') return width < NARROW ? 'up, down, number; enter; esc' : 'up, down or a number: choose  enter: its log  esc: back';
  if (mode === 'one' || mode === 'help') return 'esc: back';
  if (width < NARROW) return 'q  f  l  ?: help';
  return `q: ${asks ? 'end' : 'leave'}  f: ${failedOnly ? `all ${noun(kind, 2)}` : 'failed only'}  l: a ${kind}'s log  ?: help`;
}

function bodyRows(state: RunState, space: number, width: number, nowMs: number, shown: Shown): Row[] {
  const { view } = shown;
  if (view.mode === 'help') return helpRows(state.kind, shown.asks).slice(0, space);
  const chosen = view.chosen === null ? undefined : state.targets.get(view.chosen);
  if (view.mode === 'one' && chosen) return targetRows(chosen, space, width, nowMs, shown.log);
  const targets = listedTargets(state, view);
  const { kind } = state;
  if (targets.length === 0) return [{ text: view.failedOnly ? `no ${kind} has failed` : `no ${noun(kind, 2)} yet`, tone: 'quiet' }];
  const digits = Math.max(...targets.map(({ name }) => name.length));
  const row = (target: TargetState): Row => listRow(target, digits, width, nowMs, view);
  if (targets.length <= space) return targets.map(row);
  if (view.mode === 'choose')
    return windowAround(
      targets,
      targets.findIndex(({ name }) => name === view.chosen),
      space,
    ).map(row);
  if (space === 1) return [foldedRow(targets)];
  const seen = targets.slice(0, space - 1);
  return [...seen.map(row), foldedRow(targets.slice(seen.length))];
}

function listRow(target: TargetState, digits: number, width: number, nowMs: number, view: View): Row {
  const { symbol, tone } = looks[target.phase];
  const chosen = view.mode === 'choose' && view.chosen === target.name;
  return {
    text: `${chosen ? '=>' : `${symbol} `}${target.name.padEnd(digits)}  ${targetText(target, width, nowMs)}`.trimEnd(),
    tone: chosen ? 'chosen' : tone,
  };
}

function targetText(target: TargetState, width: number, nowMs: number): string {
  const again = target.attempt > 1 ? ` (try ${target.attempt})` : '';
  switch (target.phase) {
    case 'waiting':
      return 'waiting';
    case 'done':
      return `ok ${target.elapsedMs === null ? '' : formatDuration(target.elapsedMs)} ${doneText(target)}`;
    case 'skipped':
      return `skipped ${target.note}`;
    case 'failed':
      return `FAILED at ${target.failure?.step ?? '?'}${again}: ${target.failure?.message ?? ''}`;
    case 'active': {
      const sinceMs = target.stepAt === null ? 0 : nowMs - target.stepAt;
      const since = sinceMs >= LONG_STEP_MS ? `${formatDuration(Math.floor(sinceMs / 1000) * 1000)} ` : '';
      return `${(target.step ?? '').padEnd(6)}${again} ${progressText(target, width, nowMs)}${since}${target.note}`;
    }
  }
}

/** Of how much, when that is known; else only what there is. */
function progressText(target: TargetState, width: number, nowMs: number): string {
  if (target.facts?.moves !== 'bytes') return '';
  if (target.totalBytes <= 0) return target.doneBytes > 0 ? `${bytesAndRate(target, nowMs)}  ` : '';
  const drawn = width >= 50 ? `${bar(targetFraction(target), Math.min(30, width - 45))} ` : '';
  return `${drawn}${percent(targetFraction(target))} `;
}

function foldedRow(targets: readonly TargetState[]): Row {
  const count = (phase: TargetState['phase'], word: string): string => {
    const n = targets.filter((target) => target.phase === phase).length;
    return n > 0 ? ` ${n} ${word}` : '';
  };
  return {
    text: `... ${targets.length} more:${count('failed', 'FAILED')}${count('active', 'active')}${count('waiting', 'waiting')}${count('skipped', 'skipped')}${count('done', 'ok')}`,
    tone: 'quiet',
  };
}

function helpRows(kind: TargetKind, asks: boolean): Row[] {
  const lines = [
    asks ? `q  end the run: says what that does to ${noun(kind, 2)}, and asks once more` : 'q  leave; the run goes on',
    `f  only ${noun(kind, 2)} that have failed, and all again`,
    `l  a ${kind}: up, down or its number, then enter shows its log; esc: back`,
    '?  this',
    asks
      ? 'Ctrl-C ends the run as well, Ctrl-Z stops it for now; bg then lets it go on in the background, fg brings the screen back'
      : 'Ctrl-C leaves as well',
    'x failed   > at work   . waiting   - skipped   + ok',
  ];
  return lines.map((text) => ({ text, tone: 'active' }));
}

function percent(fraction: number): string {
  return `${String(Math.floor(fraction * 100)).padStart(3)} %`;
}
