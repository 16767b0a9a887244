import type { NodeState } from '../events/reducer.js';
import { printable } from '../util/text.js';
import { formatDuration } from './format.js';
import type { Row } from './row.js';

/** One node: where it stands, how long each step took, why it failed in full, and the end of what it said. At most `space` rows. */
export function nodeRows(
  node: NodeState,
  space: number,
  width: number,
  nowMs: number,
  log: (node: string, count: number) => string[],
): Row[] {
  const rows: Row[] = [
    { text: titleOf(node), tone: 'head' },
    ...wrapped(stepsText(node, nowMs), width).map((text): Row => ({ text, tone: 'quiet' })),
  ];
  const { failure } = node;
  if (failure) {
    for (const text of wrapped(failure.message, width)) rows.push({ text, tone: 'bad' });
    if (failure.hint !== null) for (const text of wrapped(`try: ${failure.hint}`, width)) rows.push({ text, tone: 'active' });
  } else if (node.note !== '') for (const text of wrapped(node.note, width)) rows.push({ text, tone: 'active' });
  const left = space - rows.length - 1;
  if (left > 0) {
    const lines = log(node.node, left);
    rows.push({ text: lines.length === 0 ? '-- it has said nothing yet' : '-- what it said last', tone: 'quiet' });
    for (const text of lines) rows.push({ text, tone: 'active' });
  }
  return rows.slice(0, space);
}

function titleOf({ node, phase, step, attempt, elapsedMs, failure }: NodeState): string {
  const again = attempt > 1 ? `, attempt ${attempt}` : '';
  const took = elapsedMs === null ? '' : ` after ${formatDuration(elapsedMs)}`;
  if (phase === 'failed') return `${node}  FAILED at ${failure?.step ?? '?'}${again}${took} [${failure?.code ?? '?'}]`;
  return `${node}  ${phase === 'active' ? (step ?? 'at work') : phase === 'done' ? 'ok' : phase}${again}${took}`;
}

function stepsText(node: NodeState, nowMs: number): string {
  const times = Object.entries(node.stepsMs);
  if (node.step !== null && node.stepAt !== null) times.push([`${node.step}, still`, Math.max(0, nowMs - node.stepAt)]);
  return times.length === 0 ? 'has not begun' : times.map(([step, ms]) => `${step} ${formatDuration(ms)}`).join(' | ');
}

/** A text in lines of at most `width` characters, broken at blanks where it has any. */
export function wrapped(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of printable(text).split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = '';
    }
    line = line === '' ? word : `${line} ${word}`;
    for (; line.length > width; line = line.slice(width)) lines.push(line.slice(0, width));
  }
  return line === '' ? lines : [...lines, line];
}
