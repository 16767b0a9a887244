/** The run of imaging that holds a node; `at`: since when, milliseconds since 1970. */
export type NodeHolder = { run: string; login: string; host: string; pid: number; at: number };

/** What is known of a node. Null: not known, or not there. Times are milliseconds since 1970. */
export type NodeView = {
  /** What its card says; `silent`: nothing that can be understood. */
  cmc: 'on' | 'off' | 'silent' | null;
  usrp: 'on' | 'off' | null;
  /** Whether any system on it answers at all. */
  ping: boolean | null;
  /** `no-login`: an sshd answers and does not let us in. */
  ssh: 'yes' | 'no-login' | 'no' | null;
  /** PRETTY_NAME of its /etc/os-release. */
  osRelease: string | null;
  /** The last line of the stamp that images carry. */
  image: string | null;
  /** New at every boot. */
  bootId: string | null;
  bootedAt: number | null;
  holder: NodeHolder | null;
  /** When any of this changed last. */
  since: number;
};

export type NodeFacts = Omit<NodeView, 'since'>;
export type FactName = keyof NodeFacts;

/** `was` and `now` hold what changed, `state` everything. `seq` counts from 1 without gaps. */
export type NodeChange = { seq: number; at: number; node: string; was: Partial<NodeFacts>; now: Partial<NodeFacts>; state: NodeView };

/** Nothing is known yet. */
export function unseen(at: number): NodeView {
  return {
    cmc: null,
    usrp: null,
    ping: null,
    ssh: null,
    osRelease: null,
    image: null,
    bootId: null,
    bootedAt: null,
    holder: null,
    since: at,
  };
}

/** What a login tells; no system, no facts. */
export const noSystem = { osRelease: null, image: null, bootId: null, bootedAt: null } satisfies Partial<NodeFacts>;

/** What of `patch` is new; null when nothing is. */
export function difference(state: NodeView, patch: Partial<NodeFacts>): { was: Partial<NodeFacts>; now: Partial<NodeFacts> } | null {
  const names = (Object.keys(patch) as FactName[]).filter((name) => JSON.stringify(patch[name]) !== JSON.stringify(state[name])); // as: a patch has no other keys
  if (names.length === 0) return null;
  const pick = (from: Partial<NodeFacts>): Partial<NodeFacts> => Object.fromEntries(names.map((name) => [name, from[name]]));
  return { was: pick(state), now: pick(patch) };
}
