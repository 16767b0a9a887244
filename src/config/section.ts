import type { Kind } from './kinds.js';

/** A key's standing towards the tool of 2015: taken over under its name, or new. */
export type KeyStatus = 'kept' | 'new';

/** One key of the configuration. */
export type KeySpec<T> = {
  section: string;
  key: string;
  /** What its value is called in `Config`; with its unit, when that is another than in files. */
  field: string;
  kind: Kind<T>;
  /** As it would be written in a file. */
  default: string;
  meaning: string;
  /** The unit of its number as it is written, or null. */
  unit: string | null;
  status: KeyStatus;
  /** Its value is never shown, and a file that holds one should not be readable by everybody. */
  secret: boolean;
  /** A section `[node SPECS]` may hold it. */
  perNode: boolean;
};

/** The keys of one section by their fields. */
export type Section = Readonly<Record<string, KeySpec<unknown>>>;

type Declared = {
  key: string;
  kind: Kind<unknown>;
  default: string;
  meaning: string;
  status: KeyStatus;
  unit?: string;
  secret?: true;
  perNode?: true;
};

type Declares<D extends Record<string, Declared>> = {
  readonly [F in keyof D]: D[F] extends { kind: Kind<infer T> }
    ? KeySpec<T> & { perNode: D[F] extends { perNode: true } ? true : false }
    : never;
};

/** What the keys of a section become, by their fields. */
export type Values<S> = { readonly [F in keyof S]: S[F] extends KeySpec<infer T> ? T : never };

/** Those of a section's values that may differ for single nodes. */
export type NodeValues<S> = {
  readonly [F in keyof S as S[F] extends { perNode: true } ? F : never]: S[F] extends KeySpec<infer T> ? T | undefined : never;
};

/** Declares a section once: documentation, example file, validation and the type of its values all come from it. */
export function section<const D extends Record<string, Declared>>(name: string, keys: D): Declares<D>;
export function section(name: string, keys: Record<string, Declared>): Section {
  return Object.fromEntries(
    Object.entries(keys).map(([field, spec]) => [field, { section: name, field, unit: null, secret: false, perNode: false, ...spec }]),
  );
}
