import { exitCodeMeanings, exitCodes } from './exit.js';

/** What a command's own exit codes mean, where that differs from other commands of its kind. */
export type ExitTexts = {
  /** Code 0. */
  ok?: string;
  /** Code 1; without it, and for a command that is not on nodes, there is no such code. */
  failed?: string;
  /** What Ctrl-C, SIGTERM or SIGHUP leave: codes 129, 130 and 143. */
  ended: string;
};

/** Of commands that only look. */
export const LOOKS: ExitTexts = { ended: 'nothing was changed' };

const signals: readonly [code: number, name: string][] = [
  [exitCodes.hangup, 'SIGHUP'],
  [exitCodes.interrupt, 'Ctrl-C (SIGINT)'],
  [exitCodes.terminate, 'SIGTERM'],
];

/** The exit codes of one command, as its help and its manual page print them. */
export function exitTableOf({
  kind,
  exits = LOOKS,
}: {
  kind: 'nodes' | 'plain' | 'program';
  exits?: ExitTexts;
}): (readonly [code: number, meaning: string])[] {
  const meanings = exitCodeMeanings.flatMap(([code, meaning]): (readonly [number, string])[] => {
    if (code >= exitCodes.hangup) return [];
    if (code === exitCodes.ok) return [[code, exits.ok ?? (kind === 'nodes' ? meaning : 'done')]];
    if (code !== exitCodes.someFailed) return [[code, meaning]];
    const failed = exits.failed ?? (kind === 'nodes' ? meaning : undefined);
    return failed === undefined ? [] : [[code, failed]];
  });
  return [...meanings, ...signals.map(([code, name]) => [code, `ended by ${name}: ${exits.ended}`] as const)];
}
