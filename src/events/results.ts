/** How much of what was written has been read back from the disk and compared with the image. */
export type Verification =
  | {
      verified: true;
      mode: 'sample' | 'full';
      ranges: number;
      bytes: number;
      ofBytes: number /** Perhaps out of the node's cache. */;
      fromMemory: boolean;
    }
  /** `missing`: the program that the small system would need for it. */
  | { verified: false; missing: string };

/** A system that lets us in. Null: it does not tell. */
export type AnsweringSystem = {
  via: 'ssh' | 'telnet';
  uptimeMs: number | null;
  /** New at every boot. */
  bootId: string | null;
};

/** The image that a running system says it is: its name, and the whole line; both null when it does not say, the name alone when the line is not of the usual form. */
export type RunningImage = { image: string | null; stamp: string | null };

/** An image was written. `bytes`: of data in it; `verification` null: nobody asked for it; `system` null: nobody waited for it. */
export type LoadedResult = {
  type: 'loaded';
  image: string;
  bytes: number;
  writeMs: number;
  verification: Verification | null;
  system: (AnsweringSystem & RunningImage) | null;
};

/** The image was there already: the running system says so, or a load that was read back at `verifiedAt` (ms since 1970) is recorded. */
export type PresentResult = { type: 'already-there'; image: string; verifiedAt: number | null };

/** A disk was saved; `bytes` is the size of the image's file. */
export type SavedResult = { type: 'saved'; path: string; bytes: number /** Hex. */; sha256: string };

/** What was waited for is up. */
export type UpResult = { type: 'up' } & AnsweringSystem;

/** What a card said, as it came. */
export type CardResult = { type: 'card'; answer: string };

/** What an image's stamp says. */
export type StampFacts = {
  /** When it was saved, as written: `2026-11-21@08:20`, local time of the gateway. */
  savedAt: string;
  /** The node whose disk it was. */
  node: string;
  image: string;
  by: string;
  comment: string | null;
};

/** The load that brought an image. */
export type LoadFacts = {
  run: string;
  /** The image's name, and its file on the gateway. */
  name: string;
  path: string;
  digest: string | null;
  /** Milliseconds since 1970. */
  at: number;
  by: string;
  /** How much of it was read back. */
  verify: 'none' | 'sample' | 'full';
  booted: boolean;
};

/** Which image a node runs, or has on its disk, and how that is known. */
export type WhichAnswer = {
  /** The name of the image; a stamp that is not of the usual form counts as one. */
  image: string;
  /** `stamp`: the system that runs says so; `record`: it was the last that was loaded. */
  source: 'stamp' | 'record';
  /** What the stamp says; null without one. */
  saved: StampFacts | null;
  /** The load that brought it; null when it came by another way, or is recorded elsewhere. */
  load: LoadFacts | null;
  /** Whether no reset and no power-off was sent since that load; null without one, or when the clock was wrong at one of the two. */
  cleanSince: boolean | null;
  /** Why the running system did not say it itself; null when it did. */
  why: string | null;
};

/** A line of `imaging-which --json`; of a node of which nothing is known all is null but `why`. */
export type WhichLine = { node: string } & (WhichAnswer | UnknownImage);
type UnknownImage = { image: null; source: null; saved: null; load: null; cleanSince: null; why: string };

export type WhichResult = { type: 'which' } & WhichAnswer;

/** What a run of an earlier version said of a target that was done: words alone. */
export type WordsResult = { type: 'words'; words: string };

/** What came of a target that is done, for programs; the words for people are made of it (monitor/result-text). */
export type TargetResult = LoadedResult | PresentResult | SavedResult | UpResult | CardResult | WhichResult | WordsResult;
