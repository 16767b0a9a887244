import type { TargetState } from '../events/reducer.js';
import { printable } from '../util/text.js';
import { formatDuration } from './format.js';
import { doneText } from './result-text.js';
import type { Row } from './row.js';

/** One target: where it stands, how long each step took, why it failed in full, and the end of what it said. At most `space` rows. */
export function targetRows(
  target: TargetState,
  space: number,
  width: number,
  nowMs: number,
  log: (target: string, count: number) => string[],
): Row[] {
  const rows: Row[] = [
    { text: titleOf(target), tone: 'head' },
    ...wrapped(stepsText(target, nowMs), width).map((text): Row => ({ text, tone: 'quiet' })),
  ];
  const { failure } = target;
  const told = target.phase === 'done' ? doneText(target) : target.note;
  if (failure) {
    for (const text of wrapped(failure.message, width)) rows.push({ text, tone: 'bad' });
    if (failure.hint !== null) for (const text of wrapped(`try: ${failure.hint}`, width)) rows.push({ text, tone: 'active' });
  } else if (told !== '') for (const text of wrapped(told, width)) rows.push({ text, tone: 'active' });
  const left = space - rows.length - 1;
  if (left > 0) {
    const lines = log(target.name, left);
    rows.push({ text: lines.length === 0 ? '-- it has said nothing yet' : '-- what it said last', tone: 'quiet' });
    for (const text of lines) rows.push({ text, tone: 'active' });
  }
  return rows.slice(0, space);
}

function titleOf({ name, phase, step, attempt, elapsedMs, failure }: TargetState): string {
  const again = attempt > 1 ? `, attempt ${attempt}` : '';
  const took = elapsedMs === null ? '' : ` after ${formatDuration(elapsedMs)}`;
  if (phase === 'failed') return `${name}  FAILED at ${failure?.step ?? '?'}${again}${took} [${failure?.code ?? '?'}]`;
  return `${name}  ${phase === 'active' ? (step ?? 'at work') : phase === 'done' ? 'ok' : phase}${again}${took}`;
}

function stepsText(target: TargetState, nowMs: number): string {
  const times = Object.entries(target.stepsMs);
  if (target.step !== null && target.stepAt !== null) times.push([`${target.step}, still`, Math.max(0, nowMs - target.stepAt)]);
  return times.length === 0 ? 'has not begun' : times.map(([step, ms]) => `${step} ${formatDuration(ms)}`).join(' | ');
}

/** A text in lines of at most `width` characters, broken at blanks where it has any. */
function wrapped(text: string, width: number): string[] {
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
