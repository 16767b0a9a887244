/** Which exit code a mistake of the person's earns: usage 2, refused 3, environment 4. */
export type UserErrorKind = 'usage' | 'refused' | 'environment';

/** The person must change something: shown as one line and a hint, never with a stack; several things at once as a line each. */
export class UserError extends Error {
  override readonly name = 'UserError';
  readonly kind: UserErrorKind;
  /** What to show: a list is one thing a line, whatever line ends the texts in it have. */
  readonly lines: readonly string[];
  readonly hint: string | undefined;

  constructor(kind: UserErrorKind, message: string | readonly string[], hint?: string, options?: ErrorOptions) {
    const lines = typeof message === 'string' ? [message] : message;
    super(lines.join('\n'), options);
    this.kind = kind;
    this.lines = lines;
    this.hint = hint;
  }
}

/** Whose fault: the target itself; the site (gateway, image, server, configuration); this run or another one. */
export type Blame = 'node' | 'site' | 'run';
/** Whether trying again may help, or a person (or another run) must do something first. */
export type Cure = 'again' | 'person';

export function isBlame(value: unknown): value is Blame {
  return value === 'node' || value === 'site' || value === 'run';
}

/** What follows from a failure: `code` is a stable kebab-case word (`telnet-silent`, `cmc-timeout`). */
export type FailureVerdict = { readonly code: string; readonly blame: Blame; readonly cure: Cure };

/**
 * Something that was tried on one peer failed in a way we understand. `message` says what was tried, on what, and what was
 * seen; `hint` what to do. Each folder makes its own with the constructor of its table (`failures.ts`), so that the
 * consequence is known where it is thrown; the fan-out turns it into one target's failure.
 */
export class Failure extends Error {
  override readonly name = 'Failure';
  readonly code: string;
  readonly blame: Blame;
  readonly cure: Cure;
  readonly hint: string | undefined;

  constructor({ code, blame, cure }: FailureVerdict, message: string, hint?: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.blame = blame;
    this.cure = cure;
    this.hint = hint;
  }

  /** The same failure, with what is known further up: its cause is this one. */
  with({ message = this.message, hint = this.hint, blame = this.blame, cure = this.cure }: Partial<FailureTold>): Failure {
    return new Failure({ code: this.code, blame, cure }, message, hint, { cause: this });
  }
}

type FailureTold = Pick<Failure, 'message' | 'hint' | 'blame' | 'cure'>;

/** Whether an error is a mistake in our own code, which must never pass for a failure of what it was about: Node.js's own errors have a code. */
export function isDefect(error: unknown): boolean {
  const isOurs =
    error instanceof TypeError || error instanceof ReferenceError || error instanceof RangeError || error instanceof SyntaxError;
  return isOurs && systemCode(error) === undefined;
}

/** The `code` of a Node.js system error (`ECONNREFUSED`, `ENOENT`), or undefined. */
export function systemCode(error: unknown): string | undefined {
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') return error.code;
  return undefined;
}

/** The text of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
