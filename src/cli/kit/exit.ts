import { Failure, UserError, type UserErrorKind } from '../../util/errors.js';
import { Interrupted } from '../../engine/interrupted.js';

/** Every exit code there is. */
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

/** What they mean in general; `exitTableOf` has what is true of a single command. */
export const exitCodeMeanings: readonly [code: number, meaning: string][] = [
  [exitCodes.ok, 'every selected node is fine'],
  [exitCodes.someFailed, 'at least one node failed; the final table says which, where and why'],
  [exitCodes.usage, 'the command line is wrong: unknown option, bad node, nothing selected'],
  [exitCodes.refused, 'refused: a lease, a lock or a permission is missing'],
  [exitCodes.environment, 'the environment is wrong: configuration, inventory, image, a missing program, an output that cannot be written'],
  [exitCodes.bug, 'a defect of imaging itself'],
  [exitCodes.hangup, "ended by SIGHUP; each command's page says what that leaves"],
  [exitCodes.interrupt, 'ended by Ctrl-C (SIGINT), likewise'],
  [exitCodes.terminate, 'ended by SIGTERM, likewise'],
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
