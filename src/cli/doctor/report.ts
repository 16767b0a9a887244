import { printable } from '../../util/text.js';
import { counted, type Status } from './finding.js';
import type { CheckResult } from './run-checks.js';

const words: Record<Status, string> = { ok: 'ok', skipped: '-', warning: 'warn', problem: 'FAIL' };

/** One line for one check: its word, its name, the first of the worst things it saw, and how many there are. */
export function summaryLine({ name, status, findings }: CheckResult, width: number): string {
  const worstOnes = findings.filter((finding) => finding.status === status);
  const start = `${words[status].padEnd(4)}  ${name.padEnd(width)}  `;
  if (status === 'ok') return start + printable(worstOnes.map(({ message }) => message).join('; '));
  const more = worstOnes.length > 1 ? ` (and ${worstOnes.length - 1} more)` : '';
  return `${start}${printable(worstOnes[0]?.message ?? 'nothing to say')}${more}`;
}

/** What is not as it should be, with cause and fix; empty when everything is. */
export function details(results: readonly CheckResult[]): string[] {
  const blocks = results.flatMap(({ name, findings }) =>
    findings
      .filter(({ status }) => status === 'warning' || status === 'problem')
      .map(({ status, message, cause, fix }) => {
        const rows = [
          ...(cause === null ? [] : [`  why  ${cause}`]),
          ...fix.map((step, index) => `  ${index === 0 ? 'fix' : '   '}  ${step}`),
        ];
        return ['', `${words[status]} ${name}: ${message}`, ...rows];
      }),
  );
  return blocks.flat();
}

/** `12 checks: 10 ok, 1 warning, 1 problem`. */
export function tally(results: readonly CheckResult[]): string {
  const count = (status: Status): number => results.filter((result) => result.status === status).length;
  const [fine, left, warned, failed] = [count('ok'), count('skipped'), count('warning'), count('problem')];
  return [
    `${counted(results.length, 'check')}: ${fine} ok`,
    ...(left > 0 ? [`${left} not possible`] : []),
    ...(warned > 0 ? [`${warned} with warnings`] : []),
    ...(failed > 0 ? [`${failed} failed`] : []),
  ].join(', ');
}
