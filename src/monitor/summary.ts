import { nodesIn, type RunState } from '../events/reducer.js';
import { printable } from '../util/text.js';
import { formatDuration } from './format.js';
import { leftBehind } from './left-behind.js';

/**
 * The final table: one line for all that went well, one for each remark on how it went, one for each node that did not, with step, cause and what to try.
 * `fold` turns node names into a short set such as `1-3,7`.
 */
export function renderSummary(state: RunState, fold: (names: string[]) => string): string[] {
  const [ok, failed, skipped] = [nodesIn(state, 'done'), nodesIn(state, 'failed'), nodesIn(state, 'skipped')];
  const left = [...nodesIn(state, 'waiting'), ...nodesIn(state, 'active')];
  const lines: string[] = [];
  if (ok.length > 0) lines.push(`ok       ${count(ok)}  ${fold(ok)}`);
  for (const [remark, nodes] of remarks(state)) lines.push(`  ${fold(nodes)}  ${printable(remark)}`);
  if (skipped.length > 0) lines.push(`skipped  ${count(skipped)}  ${fold(skipped)}`);
  for (const [reason, nodes] of reasons(state)) lines.push(`  ${fold(nodes)}  ${printable(reason)}`);
  if (left.length > 0) lines.push(`not done ${count(left)}  ${fold(left)}`);
  if (failed.length > 0) lines.push(`failed   ${count(failed)}  ${fold(failed)}`);
  for (const node of state.nodes.values()) {
    if (!node.failure || node.failure.code === 'interrupted') continue;
    lines.push(
      `  ${node.node}  at ${node.failure.step}: ${printable(node.failure.code === 'bug' ? firstLine(node.failure.message) : node.failure.message)} [${node.failure.code}]`,
    );
    if (node.failure.hint) lines.push(`  ${' '.repeat(node.node.length)}  try: ${printable(node.failure.hint)}`);
  }
  lines.push(...interrupted(state, fold));
  const server = state.server;
  const sent = server && server.sentBlocks > 0 ? `, ${server.sentBlocks} blocks sent (${server.repeatedBlocks} again)` : '';
  if (state.finished)
    lines.push(`imaging-${state.command}: ${ok.length} of ${state.nodes.size} ok in ${formatDuration(state.finished.elapsedMs)}${sent}`);
  return lines;
}

/** Nodes that were cut off, together where they were at the same step; then what has become of them. */
function interrupted(state: RunState, fold: (names: string[]) => string): string[] {
  const byWords = new Map<string, string[]>();
  for (const { node, failure } of state.nodes.values()) {
    if (failure?.code !== 'interrupted') continue;
    const words = `at ${failure.step}: ${printable(failure.message)} [${failure.code}]`;
    byWords.set(words, [...(byWords.get(words) ?? []), node]);
  }
  return [...[...byWords].map(([words, nodes]) => `  ${fold(nodes)}  ${words}`), ...leftBehind(state, fold)];
}

/** Why nodes were skipped: those with the same reason together. */
function reasons(state: RunState): Map<string, string[]> {
  const byReason = new Map<string, string[]>();
  for (const { node, phase, note } of state.nodes.values())
    if (phase === 'skipped') byReason.set(note, [...(byReason.get(note) ?? []), node]);
  return byReason;
}

/** What did not go as wished on nodes that are done: those with the same remark together. */
function remarks(state: RunState): Map<string, string[]> {
  const byRemark = new Map<string, string[]>();
  for (const { node, remarks: all } of state.nodes.values())
    for (const remark of all) byRemark.set(remark, [...(byRemark.get(remark) ?? []), node]);
  return byRemark;
}

function count(names: readonly string[]): string {
  return String(names.length).padStart(4);
}

function firstLine(text: string): string {
  return text.split('\n', 1)[0] ?? '';
}
