import { Failure, systemCode, UserError } from './errors.js';

/** What of this machine kept a command from going on, also when it looked like a peer's failure; in words; null when it was something else. */
export function surroundingsError(error: unknown): UserError | null {
  if (error instanceof Failure) return surroundingsError(error.cause);
  const options = { cause: error };
  switch (systemCode(error)) {
    case 'EMFILE':
      return new UserError(
        'environment',
        `too many files are open in this process: ${textOf(error)}`,
        'raise its limit (ulimit -n), or take fewer nodes at once',
        options,
      );
    case 'ENFILE':
      return new UserError('environment', `too many files are open on this machine: ${textOf(error)}`, 'see fs.file-max (sysctl)', options);
    case 'ENOENT':
      return error instanceof Error && 'syscall' in error && error.syscall === 'uv_cwd'
        ? new UserError('environment', 'the current folder is gone', 'cd to another one', options)
        : null;
    default:
      return null;
  }
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
