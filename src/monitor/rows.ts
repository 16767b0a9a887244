import { nodesIn, type NodeState, type RunState } from '../events/reducer.js';
import { bar, bytesAndRate, fit, formatBytes, formatDuration, nodeFraction, overallFraction } from './format.js';
import { leavingQuestion } from './leaving.js';
import { noPace, type Pace } from './pace.js';
import { nodeRows } from './node-rows.js';
import type { Row, Tone } from './row.js';
import { firstView, type View } from './view.js';
import { windowAround } from './window.js';

/** What is shown of a run besides its state. */
export type Shown = {
  view: View;
  pace: Pace;
  /** Whether there is somebody to press keys. */
  keys: boolean;
  /** Whether q ends the run, or only stops looking at it. */
  asks: boolean;
  /** The last `count` lines of what a node has said. */
  log(node: string, count: number): string[];
};

export const plainly: Shown = { view: firstView, pace: noPace, keys: false, asks: true, log: () => [] };

const order: Record<NodeState['phase'], number> = { failed: 0, active: 1, waiting: 2, skipped: 3, done: 4 };
const looks: Record<NodeState['phase'], { symbol: string; tone: Tone }> = {
  failed: { symbol: 'x', tone: 'bad' },
  active: { symbol: '>', tone: 'active' },
  waiting: { symbol: '.', tone: 'quiet' },
  skipped: { symbol: '-', tone: 'quiet' },
  done: { symbol: '+', tone: 'good' },
};
/** Steps with so many bytes to go. */
const COUNTED: ReadonlySet<string> = new Set(['write', 'read', 'verify']);
/** Terminals with fewer columns get fewer words. */
const NARROW = 60;
/** A step that takes so long shows how long. */
const LONG_STEP_MS = 10_000;

/**
 * What a terminal of `width` x `height` shows of a run: at most `height - 2` rows, so that no terminal ever scrolls.
 * Failed and active nodes first; what does not fit is folded into one line.
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

/** The nodes that the list shows, from top to bottom: those that give trouble first, else in the order of the selection. */
export function listedNodes(state: RunState, view: View): NodeState[] {
  const nodes = [...state.nodes.values()].filter((node) => !view.failedOnly || node.phase === 'failed');
  return nodes.sort((a, b) => order[a.phase] - order[b.phase] || (a.phase === 'active' ? b.attempt - a.attempt : 0));
}

/** What stands above the nodes: the whole run. */
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
    phase === 'done' || nodesIn(state, phase).length > 0 ? [`${nodesIn(state, phase).length} ${word}`] : [],
  );
  return `${parts.join(', ')} of ${state.nodes.size}`;
}

function etaText({ etaMs, open }: Pace, width: number): string {
  if (etaMs === null) return '';
  const seconds = Math.round(etaMs / 1000);
  return `  ETA ${seconds < 60 ? `${seconds} s` : formatDuration(seconds * 1000)}${open ? (width < NARROW ? '+' : ' or more') : ''}`;
}

function rateText({ server, nodes }: RunState, { rateBps }: Pace): string {
  if (![...nodes.values()].some((node) => node.phase === 'active' && COUNTED.has(node.step ?? ''))) return ''; // nobody listens to the server
  if (server && server.sentBlocks > 0) return `  ${Math.round(server.rateBps / 1e6)} Mbit/s`;
  return rateBps === null || rateBps < 1 ? '' : `  ${formatBytes(Math.round(rateBps))}/s`;
}

function footRows(state: RunState, { view, keys, asks }: Shown, room: number, width: number): Row[] {
  const texts = view.mode === 'leave' ? leavingQuestion(state, width) : keys && room >= 8 ? [keyText(view, asks, width)] : [];
  const rows = texts.map((text): Row => ({ text, tone: view.mode === 'leave' ? 'chosen' : 'quiet' }));
  const warning = state.warnings.at(-1);
  if (warning !== undefined && room >= 12)
    rows.unshift({ text: `! warning: ${warning}${state.warnings.length > 1 ? ` (${state.warnings.length} in all)` : ''}`, tone: 'bad' });
  return rows;
}

function keyText({ mode, failedOnly }: View, asks: boolean, width: number): string {
  if (mode === 'choose') return width < NARROW ? 'up, down, number; enter; esc' : 'up, down or a number: choose  enter: its log  esc: back';
  if (mode === 'node' || mode === 'help') return 'esc: back';
  if (width < NARROW) return 'q  f  l  ?: help';
  return `q: ${asks ? 'end' : 'leave'}  f: ${failedOnly ? 'all nodes' : 'failed only'}  l: a node's log  ?: help`;
}

function bodyRows(state: RunState, space: number, width: number, nowMs: number, shown: Shown): Row[] {
  const { view } = shown;
  if (view.mode === 'help') return helpRows(shown.asks).slice(0, space);
  const chosen = view.chosen === null ? undefined : state.nodes.get(view.chosen);
  if (view.mode === 'node' && chosen) return nodeRows(chosen, space, width, nowMs, shown.log);
  const nodes = listedNodes(state, view);
  if (nodes.length === 0) return [{ text: view.failedOnly ? 'no node has failed' : 'no nodes yet', tone: 'quiet' }];
  const digits = Math.max(...nodes.map(({ node }) => node.length));
  const row = (node: NodeState): Row => listRow(node, digits, width, nowMs, view);
  if (nodes.length <= space) return nodes.map(row);
  if (view.mode === 'choose')
    return windowAround(
      nodes,
      nodes.findIndex(({ node }) => node === view.chosen),
      space,
    ).map(row);
  if (space === 1) return [foldedRow(nodes)];
  const seen = nodes.slice(0, space - 1);
  return [...seen.map(row), foldedRow(nodes.slice(seen.length))];
}

function listRow(node: NodeState, digits: number, width: number, nowMs: number, view: View): Row {
  const { symbol, tone } = looks[node.phase];
  const chosen = view.mode === 'choose' && view.chosen === node.node;
  return {
    text: `${chosen ? '=>' : `${symbol} `}${node.node.padEnd(digits)}  ${nodeText(node, width, nowMs)}`.trimEnd(),
    tone: chosen ? 'chosen' : tone,
  };
}

function nodeText(node: NodeState, width: number, nowMs: number): string {
  const again = node.attempt > 1 ? ` (try ${node.attempt})` : '';
  switch (node.phase) {
    case 'waiting':
      return 'waiting';
    case 'done':
      return `ok ${node.elapsedMs === null ? '' : formatDuration(node.elapsedMs)} ${node.note}`;
    case 'skipped':
      return `skipped ${node.note}`;
    case 'failed':
      return `FAILED at ${node.failure?.step ?? '?'}${again}: ${node.failure?.message ?? ''}`;
    case 'active': {
      const sinceMs = node.stepAt === null ? 0 : nowMs - node.stepAt;
      const since = sinceMs >= LONG_STEP_MS ? `${formatDuration(Math.floor(sinceMs / 1000) * 1000)} ` : '';
      return `${(node.step ?? '').padEnd(6)}${again} ${progressText(node, width, nowMs)}${since}${node.note}`;
    }
  }
}

/** Of how much, when that is known; else only what there is. */
function progressText(node: NodeState, width: number, nowMs: number): string {
  if (!COUNTED.has(node.step ?? '')) return '';
  if (node.totalBytes <= 0) return node.doneBytes > 0 ? `${bytesAndRate(node, nowMs)}  ` : '';
  const drawn = width >= 50 ? `${bar(nodeFraction(node), Math.min(30, width - 45))} ` : '';
  return `${drawn}${percent(nodeFraction(node))} `;
}

function foldedRow(nodes: readonly NodeState[]): Row {
  const count = (phase: NodeState['phase'], word: string): string => {
    const n = nodes.filter((node) => node.phase === phase).length;
    return n > 0 ? ` ${n} ${word}` : '';
  };
  return {
    text: `... ${nodes.length} more:${count('failed', 'FAILED')}${count('active', 'active')}${count('waiting', 'waiting')}${count('skipped', 'skipped')}${count('done', 'ok')}`,
    tone: 'quiet',
  };
}

function helpRows(asks: boolean): Row[] {
  const lines = [
    asks ? 'q  end the run: says what that does to nodes, and asks once more' : 'q  leave; the run goes on',
    'f  only nodes that have failed, and all again',
    'l  a node: up, down or its number, then enter shows its log; esc: back',
    '?  this',
    asks
      ? 'Ctrl-C ends the run as well, Ctrl-Z stops it for now; bg then lets it go on in the background, fg brings the screen back'
      : 'Ctrl-C leaves as well',
    'x failed   > at work   . waiting   - skipped   + ok',
  ];
  return lines.map((text) => ({ text, tone: 'active' }));
}

export function percent(fraction: number): string {
  return `${String(Math.floor(fraction * 100)).padStart(3)} %`;
}
