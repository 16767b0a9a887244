import { nodesIn, type NodeState, type RunState } from '../events/reducer.js';
import { bar, fit, formatDuration, nodeFraction, overallFraction } from './format.js';

const order: Record<NodeState['phase'], number> = { failed: 0, active: 1, waiting: 2, skipped: 3, done: 4 };

/**
 * What a terminal of `width` x `height` shows of a run: at most `height - 2` rows, so that no terminal ever scrolls.
 * Failed and active nodes first; what does not fit is folded into one last line.
 */
export function renderRows(state: RunState, width: number, height: number, nowMs: number): string[] {
  const room = Math.max(1, height - 2);
  const header = headerRow(state, nowMs);
  const nodes = [...state.nodes.values()].sort((a, b) => order[a.phase] - order[b.phase]);
  if (room < 3) return [fit(header, width)];
  const shown = nodes.length <= room - 1 ? nodes : nodes.slice(0, room - 2);
  const rows = [header, ...shown.map((node) => nodeRow(node, width))];
  if (shown.length < nodes.length) rows.push(foldedRow(nodes.slice(shown.length)));
  return rows.map((row) => fit(row, width));
}

function headerRow(state: RunState, nowMs: number): string {
  const elapsed = state.finished?.elapsedMs ?? (state.startedAt === null ? 0 : nowMs - state.startedAt);
  const counts = `${nodesIn(state, 'done').length} ok, ${nodesIn(state, 'failed').length} failed, of ${state.nodes.size}`;
  const rate = state.server && state.server.sentBlocks > 0 ? `  ${Math.round(state.server.rateBps / 1e6)} Mbit/s` : '';
  return `imaging-${state.command} ${bar(overallFraction(state), 20)} ${percent(overallFraction(state))}  ${counts}  ${formatDuration(elapsed)}${rate}`;
}

function nodeRow(node: NodeState, width: number): string {
  const name = node.node.padEnd(8);
  switch (node.phase) {
    case 'waiting':
      return `${name} waiting`;
    case 'done':
      return `${name} ok        ${node.elapsedMs === null ? '' : formatDuration(node.elapsedMs)} ${node.note}`;
    case 'skipped':
      return `${name} skipped   ${node.note}`;
    case 'failed':
      return `${name} FAILED    at ${node.failure?.step ?? '?'}: ${node.failure?.message ?? ''}`;
    case 'active': {
      const step = (node.step ?? '').padEnd(9);
      const progress = (node.step === 'write' || node.step === 'verify') && node.totalBytes > 0 ? `${bar(nodeFraction(node), Math.min(30, Math.max(5, width - 50)))} ${percent(nodeFraction(node))} ` : '';
      return `${name} ${step} ${progress}${node.note}`;
    }
  }
}

function foldedRow(nodes: readonly NodeState[]): string {
  const count = (phase: NodeState['phase'], word: string): string => {
    const n = nodes.filter((node) => node.phase === phase).length;
    return n > 0 ? ` ${n} ${word}` : '';
  };
  return `... ${nodes.length} more:${count('failed', 'failed')}${count('active', 'active')}${count('waiting', 'waiting')}${count('skipped', 'skipped')}${count('done', 'ok')}`;
}

function percent(fraction: number): string {
  return `${String(Math.floor(fraction * 100)).padStart(3)} %`;
}
