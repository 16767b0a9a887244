import { Failure, UserError, type UserErrorKind } from '../util/errors.js';
import { Interrupted } from '../workflows/interrupted.js';

/** Every exit code there is; the manual prints this table. */
export const exitCodes = {
  ok: 0,
  someFailed: 1,
  usage: 2,
  refused: 3,
  environment: 4,
  bug: 70,
  hangup: 129,
  interrupt: 130,
  terminate: 143,
} as const;

export const exitCodeMeanings: readonly [code: number, meaning: string][] = [
  [exitCodes.ok, 'every selected node is fine'],
  [exitCodes.someFailed, 'at least one node failed; the final table says which, where and why'],
  [exitCodes.usage, 'the command line is wrong: unknown option, bad node, nothing selected'],
  [exitCodes.refused, 'refused: a lease, a lock or a permission is missing'],
  [exitCodes.environment, 'the environment is wrong: configuration, inventory, image, a missing program'],
  [exitCodes.bug, 'a defect of imaging itself'],
  [exitCodes.hangup, 'ended by SIGHUP, everything undone'],
  [exitCodes.interrupt, 'ended by Ctrl-C (SIGINT), everything undone'],
  [exitCodes.terminate, 'ended by SIGTERM, everything undone'],
];

const byKind: Record<UserErrorKind, number> = { usage: exitCodes.usage, refused: exitCodes.refused, environment: exitCodes.environment };

/** The exit code that an error earns which ends a whole command. */
export function exitCodeOfError(error: unknown): number {
  if (error instanceof Interrupted) return error.exitCode;
  if (error instanceof UserError) return byKind[error.kind];
  return error instanceof Failure ? exitCodes.environment : exitCodes.bug;
}

/** Signals that end a command in an orderly way, with the code each earns. */
export const endingSignals = { SIGINT: exitCodes.interrupt, SIGTERM: exitCodes.terminate, SIGHUP: exitCodes.hangup } as const;
