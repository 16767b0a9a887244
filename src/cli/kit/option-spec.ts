/** What a word may be, for completions: names that are looked up when they are asked for, sections of the configuration, or what the shell knows itself. */
export type WordKind = 'nodes' | 'images' | 'runs' | 'sections' | 'files' | 'folders';

type Described = { alias?: string | readonly string[]; describe: string };

/** `value` is what stands for the value in help: `IMAGE`, `SECONDS`. */
type Valued = Described & { value?: string };

/** Given or not. */
export type FlagSpec = Described & { type: 'boolean' };

/** A number within bounds, which are part of the message when it is not. */
export type NumberSpec = Valued & {
  type: 'number';
  integer?: boolean;
  /** The least it may be. */
  min?: number;
  /** What it must be greater than. */
  above?: number;
  /** The most it may be. */
  max?: number;
};

export type TextSpec = Valued & {
  type: 'string';
  choices?: readonly string[];
  /** Texts of a form of their own; `parse` makes undefined of what is none. `allowed` completes "... is not". */
  format?: { readonly allowed: string; parse(text: string): unknown };
  /** What its value may be, for completions. */
  completes?: readonly WordKind[];
  /** May be given several times. */
  multiple?: boolean;
};

/** One option of a command, as help, parser, completions and manual pages need it. */
export type OptionSpec = FlagSpec | NumberSpec | TextSpec;

/** The options of a command by their long names. */
export type OptionSpecs = Readonly<Record<string, OptionSpec>>;

/** Keeps the names and the literals of options that several commands share in their type. */
export function optionSpecs<const S extends OptionSpecs>(specs: S): S {
  return specs;
}

/** `until-ssh` as `untilSsh`. */
export type CamelCase<Name extends string> = Name extends `${infer First}-${infer Rest}` ? `${First}${Capitalize<CamelCase<Rest>>}` : Name;

export function camelCase(name: string): string {
  return name.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase());
}

type ValueOf<O> = O extends { type: 'boolean' } ? boolean : O extends { multiple: true } ? readonly string[] : OneValueOf<O> | undefined;

type OneValueOf<O> = O extends { format: { parse(text: string): infer Value } }
  ? NonNullable<Value>
  : O extends { choices: readonly (infer Choice)[] }
    ? Choice
    : O extends { type: 'number' }
      ? number
      : string;

/**
 * What a command gets of its options: `until-ssh` as `untilSsh`, false when a flag is absent, an empty list for one that may be
 * repeated, else undefined; numbers within their bounds, choices as a union.
 */
export type OptionsOf<S extends OptionSpecs> = { readonly [Name in keyof S & string as CamelCase<Name>]: ValueOf<S[Name]> };

/** A command line, parsed. Without a type of its own: of any command. */
export type Arguments<O = Readonly<Record<string, unknown>>> = {
  readonly words: readonly string[];
  readonly options: O;
  /** The long names of the options that were given, `until-ssh`. */
  readonly given: readonly string[];
  /** Everything after `--`, for a command that runs a command. */
  readonly rest: readonly string[];
};

/** What the command of a spec gets; with names, an action that takes these options alone. */
export type ArgumentsOf<C extends { readonly options: OptionSpecs }, Name extends keyof C['options'] = keyof C['options']> = Arguments<
  OptionsOf<Pick<C['options'], Name>>
>;
