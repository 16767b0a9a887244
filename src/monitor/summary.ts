import { targetsIn, type RunState } from '../events/reducer.js';
import { printable } from '../util/text.js';
import { formatDuration } from './format.js';
import { leftBehind } from './left-behind.js';

/**
 * The final table: one line for all that went well, one for each remark on how it went, one for each target that did not, with step, cause and what to try.
 * `fold` turns names into a short set such as `1-3,7`.
 */
export function renderSummary(state: RunState, fold: (names: string[]) => string): string[] {
  const [ok, failed, skipped] = [targetsIn(state, 'done'), targetsIn(state, 'failed'), targetsIn(state, 'skipped')];
  const left = [...targetsIn(state, 'waiting'), ...targetsIn(state, 'active')];
  const lines: string[] = [];
  if (ok.length > 0) lines.push(`ok       ${count(ok)}  ${fold(ok)}`);
  for (const [remark, names] of remarks(state)) lines.push(`  ${fold(names)}  ${printable(remark)}`);
  if (skipped.length > 0) lines.push(`skipped  ${count(skipped)}  ${fold(skipped)}`);
  for (const [reason, names] of reasons(state)) lines.push(`  ${fold(names)}  ${printable(reason)}`);
  if (left.length > 0) lines.push(`not done ${count(left)}  ${fold(left)}`);
  if (failed.length > 0) lines.push(`failed   ${count(failed)}  ${fold(failed)}`);
  for (const { name, failure } of state.targets.values()) {
    if (!failure || failure.code === 'interrupted') continue;
    const message = failure.code === 'bug' ? firstLine(failure.message) : failure.message;
    lines.push(`  ${name}  at ${failure.step}: ${printable(message)} [${failure.code}]`);
    if (failure.hint) lines.push(`  ${' '.repeat(name.length)}  try: ${printable(failure.hint)}`);
  }
  lines.push(...interrupted(state, fold));
  const server = state.server;
  const sent = server && server.sentBlocks > 0 ? `, ${server.sentBlocks} blocks sent (${server.repeatedBlocks} again)` : '';
  if (state.finished)
    lines.push(`imaging-${state.command}: ${ok.length} of ${state.targets.size} ok in ${formatDuration(state.finished.elapsedMs)}${sent}`);
  return lines;
}

/** Targets that were cut off, together where they were at the same step; then what has become of them. */
function interrupted(state: RunState, fold: (names: string[]) => string): string[] {
  const byWords = new Map<string, string[]>();
  for (const { name, failure } of state.targets.values()) {
    if (failure?.code !== 'interrupted') continue;
    const words = `at ${failure.step}: ${printable(failure.message)} [${failure.code}]`;
    byWords.set(words, [...(byWords.get(words) ?? []), name]);
  }
  return [...[...byWords].map(([words, names]) => `  ${fold(names)}  ${words}`), ...leftBehind(state, fold)];
}

/** Why targets were skipped: those with the same reason together. */
function reasons(state: RunState): Map<string, string[]> {
  const byReason = new Map<string, string[]>();
  for (const { name, phase, note } of state.targets.values())
    if (phase === 'skipped') byReason.set(note, [...(byReason.get(note) ?? []), name]);
  return byReason;
}

/** What did not go as wished on targets that are done: those with the same remark together. */
function remarks(state: RunState): Map<string, string[]> {
  const byRemark = new Map<string, string[]>();
  for (const { name, remarks: all } of state.targets.values())
    for (const remark of all) byRemark.set(remark, [...(byRemark.get(remark) ?? []), name]);
  return byRemark;
}

function count(names: readonly string[]): string {
  return String(names.length).padStart(4);
}

function firstLine(text: string): string {
  return text.split('\n', 1)[0] ?? '';
}
