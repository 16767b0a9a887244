import { fit, formatDuration } from '../../monitor/format.js';
import type { Row, Tone } from '../../monitor/row.js';
import type { View } from '../../monitor/view.js';
import { windowAround } from '../../monitor/visible-part.js';
import type { NodeChange, NodeView } from '../../events/node-view.js';
import { changeText, conditionOf, holderText, imageName, type Condition } from './watch-text.js';

export type WatchShown = {
  nodes: ReadonlyMap<string, NodeView>;
  view: View;
  keys: boolean;
  nowMs: number;
  /** Where consumers stand, one line each. */
  notes: readonly string[];
  fold(names: string[]): string;
  changesOf(node: string, count: number): NodeChange[];
};

const looks: Record<Condition, { order: number; symbol: string; word: string; tone: Tone }> = {
  trouble: { order: 0, symbol: '!', word: 'in trouble', tone: 'bad' },
  held: { order: 1, symbol: '>', word: 'held', tone: 'active' },
  coming: { order: 2, symbol: '~', word: 'changing', tone: 'active' },
  unknown: { order: 3, symbol: '?', word: 'unknown', tone: 'quiet' },
  up: { order: 4, symbol: '+', word: 'up', tone: 'good' },
  off: { order: 5, symbol: '.', word: 'off', tone: 'quiet' },
};
const MINUTE_MS = 60_000;
/** Terminals with fewer columns get fewer words. */
const NARROW = 60;
/** Columns for a set of nodes that share a line. */
const SET_WIDTH = 20;
const conditions = Object.entries(looks) as [Condition, (typeof looks)[Condition]][]; // as: it has exactly these keys

/**
 * What a terminal of `width` x `height` shows of watched nodes: a line each, those in trouble first; when there are more
 * nodes than lines, nodes that are alike share one. At most `height - 2` rows.
 */
export function watchRows(shown: WatchShown, width: number, height: number): Row[] {
  const room = Math.max(0, height - 2);
  const head = headRow(shown, width);
  const foot: Row[] =
    room < 8
      ? []
      : [
          ...shown.notes.map((text): Row => ({ text, tone: 'quiet' })),
          ...(shown.keys ? [{ text: keyText(shown.view, width), tone: 'quiet' } as const] : []),
        ];
  const space = room - 1 - foot.length;
  const body = space > 0 ? bodyRows(shown, space) : [];
  return [head, ...body, ...foot].slice(0, room).map((row) => ({ ...row, text: fit(row.text, width) }));
}

/** The nodes that the list shows, from top to bottom. */
export function watchedNodes({ nodes, view, nowMs }: Pick<WatchShown, 'nodes' | 'view' | 'nowMs'>): string[] {
  const listed = [...nodes].map(([name, state]) => ({ name, condition: conditionOf(state, nowMs) }));
  return listed
    .filter(({ condition }) => !view.failedOnly || condition === 'trouble')
    .sort((a, b) => looks[a.condition].order - looks[b.condition].order)
    .map(({ name }) => name);
}

function headRow({ nodes, nowMs }: WatchShown, width: number): Row {
  const counted = conditions.flatMap(([condition, { word }]) => {
    const count = [...nodes.values()].filter((state) => conditionOf(state, nowMs) === condition).length;
    return count > 0 ? [`${count} ${word}`] : [];
  });
  const title = width < NARROW ? '' : `imaging-monitor ${new Date(nowMs).toTimeString().slice(0, 8)}  `;
  return { text: `${title}${counted.join(', ')} of ${nodes.size}`, tone: 'head' };
}

function bodyRows(shown: WatchShown, space: number): Row[] {
  const { view, nodes, nowMs } = shown;
  if (view.mode === 'help') return helpRows().slice(0, space);
  const chosen = view.chosen === null ? undefined : nodes.get(view.chosen);
  if (view.mode === 'one' && view.chosen !== null && chosen) return oneNode(view.chosen, chosen, shown, space);
  const names = watchedNodes(shown);
  if (names.length === 0) return [{ text: 'no node is in trouble', tone: 'quiet' }];
  if (view.mode === 'choose') return windowAround(names, names.indexOf(view.chosen ?? ''), space).map((name) => nodeRow(name, shown));
  if (names.length <= space) return names.map((name) => nodeRow(name, shown));
  const groups = grouped(names, nodes, nowMs, shown.fold);
  return groups.length <= space
    ? groups
    : [...groups.slice(0, space - 1), { text: `... ${groups.length - space + 1} more lines: f shows trouble only`, tone: 'quiet' }];
}

function nodeRow(name: string, { nodes, view, nowMs }: WatchShown): Row {
  const state = nodes.get(name);
  if (!state) return { text: name, tone: 'quiet' };
  const { symbol, tone } = looks[conditionOf(state, nowMs)];
  const chosen = view.mode === 'choose' && view.chosen === name;
  const upMs = state.bootedAt === null ? null : Math.max(0, nowMs - state.bootedAt);
  const up = upMs === null ? '' : upMs < MINUTE_MS ? '  up < 1 min' : `  up ${formatDuration(Math.floor(upMs / MINUTE_MS) * MINUTE_MS)}`;
  return { text: `${chosen ? '=>' : `${symbol} `}${name}  ${stateText(state)}${up}`, tone: chosen ? 'chosen' : tone };
}

/** Everything that nodes have in common when they are alike. */
function stateText({ cmc, usrp, ping, ssh, osRelease, image, holder }: NodeView): string {
  const reached = ssh === 'yes' ? 'ssh' : ssh === 'no-login' ? 'no login' : ping === true ? 'ping' : ping === false ? '-' : '?';
  const words = [(cmc ?? '?').padEnd(6), `usrp ${(usrp ?? '?').padEnd(3)}`, reached.padEnd(8)];
  if (holder) words.push(holderText(holder));
  if (image !== null) words.push(imageName(image));
  if (osRelease !== null) words.push(osRelease);
  return words.join(' ').trimEnd();
}

function grouped(names: readonly string[], nodes: ReadonlyMap<string, NodeView>, nowMs: number, fold: (names: string[]) => string): Row[] {
  const groups = new Map<string, { names: string[]; condition: Condition; text: string }>();
  for (const name of names) {
    const state = nodes.get(name);
    if (!state) continue;
    const condition = conditionOf(state, nowMs);
    const text = stateText(state);
    const group = groups.get(`${condition} ${text}`);
    if (group) group.names.push(name);
    else groups.set(`${condition} ${text}`, { names: [name], condition, text });
  }
  return [...groups.values()].map(({ names: alike, condition, text }) => {
    const { symbol, tone } = looks[condition];
    return { text: `${symbol} ${String(alike.length).padStart(4)}  ${fit(fold(alike), SET_WIDTH).padEnd(SET_WIDTH)}  ${text}`, tone };
  });
}

function oneNode(name: string, state: NodeView, { nowMs, changesOf }: WatchShown, space: number): Row[] {
  const at = (ms: number): string => `${formatDuration(Math.max(0, nowMs - ms))} ago`;
  const rows: Row[] = [{ text: `${name}  ${stateText(state)}`, tone: 'head' }];
  if (state.bootedAt !== null) rows.push({ text: `booted ${at(state.bootedAt)}, as ${state.bootId ?? ''}`, tone: 'active' });
  if (state.image !== null) rows.push({ text: `stamp: ${state.image}`, tone: 'active' });
  if (state.holder)
    rows.push({
      text: `${holderText(state.holder)}, pid ${state.holder.pid} on ${state.holder.host}, for ${formatDuration(Math.max(0, nowMs - state.holder.at))}`,
      tone: 'active',
    });
  rows.push({ text: `-- what changed, the newest first${state.since === 0 ? '' : `; as it is since ${at(state.since)}`}`, tone: 'quiet' });
  for (const change of changesOf(name, Math.max(0, space - rows.length)))
    rows.push({ text: `${new Date(change.at).toTimeString().slice(0, 8)}  ${changeText(change)}`, tone: 'active' });
  return rows.slice(0, space);
}

function keyText({ mode, failedOnly }: View, width: number): string {
  if (mode === 'choose') return 'up, down or a number: choose  enter: its changes  esc: back';
  if (mode === 'one' || mode === 'help') return 'esc: back';
  if (width < NARROW) return 'q  f  l  ?: help';
  return `q: leave  f: ${failedOnly ? 'all nodes' : 'trouble only'}  l: a node's changes  ?: help`;
}

function helpRows(): Row[] {
  const lines = [
    'q  leave, as does Ctrl-C',
    'f  only nodes in trouble, and all again',
    'l  a node: up, down or its number, then enter shows its changes; esc: back',
    '?  this',
    conditions.map(([, { symbol, word }]) => `${symbol} ${word}`).join('   '),
    'when there are more nodes than lines, nodes that are alike share one',
  ];
  return lines.map((text) => ({ text, tone: 'active' }));
}
