import { type Blame, type Cure, Failure } from './errors.js';

/** What a code means, for whoever meets it: the consequences follow from `blame` and `cure`, the page of codes from the rest. */
export type FailureSpec = {
  readonly blame: Blame;
  readonly cure: Cure;
  /** What has happened: one plain sentence. */
  readonly meaning: string;
  /** What to do about it: one plain sentence. */
  readonly todo: string;
  /** The run may not work on a node at all: when all that it was to work on say so, the command was refused. */
  readonly refusal?: true;
};

/** The codes that a folder's `fail` takes. */
export type CodeOf<F> = F extends Fail<infer Code> ? Code : never;

/** The codes of a table: a `*` in a key stands for any text (`cmc-http-*`). */
type CodeIn<Table> = Wild<keyof Table & string>;
type Wild<Key extends string> = Key extends `${infer Head}*${infer Tail}` ? `${Head}${string}${Tail}` : Key;

/** Makes the failures of one folder. */
export type Fail<Code extends string> = {
  /** `message`: what was tried, on what, and what was seen; `hint`: what to do. */
  (code: Code, message: string, hint?: string, options?: ErrorOptions): Failure;
  /** Whether something thrown is a failure of one of these codes. */
  is<One extends Code>(error: unknown, ...codes: readonly One[]): error is Failure & { readonly code: One };
  /** What is declared of a code that is known as text only; undefined when it is none of this folder's. */
  spec(code: string): FailureSpec | undefined;
  readonly title: string;
  readonly table: Readonly<Record<string, FailureSpec>>;
};

/**
 * The codes that one folder declares, each in one place: `throw fail('node-busy', …)`. A key without `*` goes before one
 * with it. `title`: what the folder is about, for the page of codes.
 */
export function failures<const Table extends Readonly<Record<string, FailureSpec>>>(title: string, table: Table): Fail<CodeIn<Table>> {
  const patterns = Object.entries(table).flatMap(([key, spec]) => {
    const [head, tail] = key.split('*');
    return head === undefined || tail === undefined ? [] : [{ head, tail, spec }];
  });
  const specOf = (code: string): FailureSpec | undefined =>
    Object.hasOwn(table, code)
      ? table[code]
      : patterns.find(({ head, tail }) => code.length > head.length + tail.length && code.startsWith(head) && code.endsWith(tail))?.spec;
  const fail = (code: CodeIn<Table>, message: string, hint?: string, options?: ErrorOptions): Failure => {
    const spec = specOf(code);
    if (spec === undefined) throw new TypeError(`no failure is declared with the code ${code}`);
    return new Failure({ code, blame: spec.blame, cure: spec.cure }, message, hint, options);
  };
  return Object.assign(fail, {
    is: <One extends CodeIn<Table>>(error: unknown, ...codes: readonly One[]): error is Failure & { readonly code: One } =>
      error instanceof Failure && codes.some((code) => code === error.code),
    spec: specOf,
    title,
    table,
  });
}

/** A failure as plain data: what is left of it where an error itself cannot go, from thread to thread. */
export type FailureData = Pick<Failure, 'code' | 'blame' | 'cure' | 'message'> & { hint: string | null };

export function failureData({ code, blame, cure, message, hint }: Failure): FailureData {
  return { code, blame, cure, message, hint: hint ?? null };
}

/** The failure that another thread has met. */
export function failureFrom({ message, hint, ...verdict }: FailureData, options?: ErrorOptions): Failure {
  return new Failure(verdict, message, hint ?? undefined, options);
}
