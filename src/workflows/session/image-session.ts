import type { Emit } from '../../events/types.js';

/** One multicast session that sends one image: where to join it, and its end. */
export type ImageSession = {
  group: string;
  port: number;
  /** Milliseconds (monotonic) when the server last heard from this address, or null: a sign of life besides the node's own output. */
  lastHeardMs(address: string): number | null;
  /** Rejects when the server dies; never resolves. */
  failed: Promise<never>;
  stop(): Promise<void>;
};

export type SessionOptions = {
  imagePath: string;
  localIp: string;
  rateBps: number;
  loopback: boolean;
  /** Slots to try, in order: each has a group and a port of its own. */
  slots: readonly { group: string; port: number }[];
  /** Control name of the node of this run that has this address, for events; null: it is none of them. */
  nodeOf: (address: string) => string | null;
  emit: Emit;
  signal: AbortSignal;
};
