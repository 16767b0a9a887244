import { allKeys, freeSections } from '../../config/schema.js';
import type { Command } from '../kit/command.js';
import type { OptionSpec, WordKind } from '../kit/option-spec.js';

/** What may stand at one place of a command line: words known now, and kinds that the shell looks up. */
export type Place = { words: readonly string[]; kinds: readonly Exclude<WordKind, 'sections'>[] };

/** An option as the shells complete it. */
export type OptionPlace = {
  /** `--image`, `-i`. */ names: readonly string[];
  describe: string;
  repeats: boolean /** Null for one that takes no value. */;
  value: (Place & { label: string }) | null;
};

/** A command as the shells complete it, the same for all of them. */
export type CommandPlaces = {
  name: string;
  /** What it can be called by: `imaging-load`, `load-image`. */
  calledBy: readonly string[];
  summary: string;
  options: readonly OptionPlace[];
  /** It takes the place of another program: its own name may be that program's on this machine. */
  isProgram: boolean;
  /** Its words; with actions, the first one decides on the rest. */
  operands: Place | { actions: ReadonlyMap<string, Place> };
  takesCommand: boolean;
};

const help: OptionPlace = { names: ['--help', '-h'], describe: 'show this help', repeats: false, value: null };

export function commandPlaces(command: Command): CommandPlaces {
  const options = Object.entries(command.options).map(([name, spec]) => optionPlace(name, spec));
  return {
    name: command.name,
    calledBy: [`imaging-${command.name}`, ...(command.aliases ?? [])],
    summary: command.summary,
    isProgram: command.kind === 'program',
    options: command.kind === 'program' ? [] : [...options, help],
    operands: operandsOf(command),
    takesCommand: command.takesCommand === true,
  };
}

/** What completions are registered for: not for `frisbee` and its like, which may be the real programs. */
export function callableNames(places: readonly CommandPlaces[]): string[] {
  return ['imaging', ...places.flatMap(({ isProgram, calledBy }) => (isProgram ? calledBy.slice(0, 1) : calledBy))];
}

function optionPlace(name: string, spec: OptionSpec): OptionPlace {
  const letters = spec.alias === undefined ? [] : [spec.alias].flat();
  return {
    names: [`--${name}`, ...letters.map((letter) => (letter.length === 1 ? `-${letter}` : `--${letter}`))],
    describe: spec.describe,
    repeats: spec.type === 'string' && spec.multiple === true,
    value: valuePlace(name, spec),
  };
}

function valuePlace(name: string, spec: OptionSpec): OptionPlace['value'] {
  if (spec.type === 'boolean') return null;
  const { completes = [], choices = [] } = spec.type === 'string' ? spec : {};
  return { ...place(completes, choices), label: spec.value ?? name.toUpperCase() };
}

function operandsOf({ kind, completes = kind === 'nodes' ? ['nodes'] : [] }: Command): CommandPlaces['operands'] {
  if ('actions' in completes)
    return { actions: new Map(Object.entries(completes.actions).map(([action, kinds]) => [action, place(kinds, [])])) };
  return 'words' in completes ? place([], completes.words) : place(completes, []);
}

function place(kinds: readonly WordKind[], words: readonly string[]): Place {
  const sections = kinds.includes('sections') ? [...new Set([...allKeys.map(({ section }) => section), ...Object.keys(freeSections)])] : [];
  return { words: [...words, ...sections], kinds: kinds.filter((kind) => kind !== 'sections') };
}
