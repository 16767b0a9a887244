import type { WriteFaults } from './faulty-sink.js';

/** One frisbee for the thread that runs them. */
export type FrisbeeJob = {
  args: string[];
  diskPath: string;
  faults: WriteFaults;
  /** Share of the datagrams that the node loses, 0 to 1. */
  lossRate: number;
  lossSeed: number;
};

export type ToFrisbeeThread = { kind: 'start'; id: number; job: FrisbeeJob } | { kind: 'stop'; id: number } | { kind: 'close' };

export type FromFrisbeeThread =
  | { kind: 'text'; id: number; text: string }
  /** The node has died in the middle of it. */
  | { kind: 'dropped'; id: number }
  | { kind: 'ended'; id: number; status: number }
  | { kind: 'closed' };

/** What the thread is started with: nodes on loopback addresses share sockets, nodes in namespaces have their own. */
export type FrisbeeThreadData = { loopback: boolean };
