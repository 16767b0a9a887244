/** What a run works on; the nouns for people follow from it. */
export type TargetKind = 'node' | 'drive' | 'job';

/** What a target's disk is by now: not touched, overwritten in part (or wrongly), or all new. */
export type DiskState = 'as-it-was' | 'in-write' | 'written';

/** What whoever folds or shows events must know of a step, whatever it is called. */
export type StepFacts = {
  name: string;
  /** Data flows while it lasts: there is a rate, and a bar and an end where the whole is known. */
  moves?: 'bytes';
  /** It comes before the data flows: a target at it is still to be waited for. */
  early?: boolean;
  /**
   * What the target's disk is from here on. `in-write`: being overwritten; `written`: when it was being overwritten, that is
   * over; `judged`: the same, and a retry says that what was written is wrong.
   */
  disk?: 'in-write' | 'written' | 'judged';
};

/**
 * Where an interrupt leaves a target whose disk is in this state, at one of these steps (left out: at any); the first that
 * fits holds. `words` follow the names of targets: `one|many` stands where their number matters.
 */
export type LeftBehind = { disk: DiskState; steps?: string[]; words: string };

/** What a workflow tells of itself in a run's first event, so that nobody else has a table of its steps. */
export type Work = { kind: TargetKind; steps: StepFacts[]; leftBehind: LeftBehind[] };

/** A workflow's steps, in order: the one table of them. */
export function steps<S extends string>(table: Readonly<Record<S, Omit<StepFacts, 'name'>>>): (StepFacts & { name: S })[] {
  return (Object.keys(table) as S[]).map((name) => ({ name, ...table[name] })); // as: a table has no other keys
}

/** The names of the steps in a table. */
export type StepOf<T extends readonly StepFacts[]> = T[number]['name'];
