import type { NodeSpec } from './emulated-node.js';
import type { NodePhase } from './node-machine.js';

/** A started node, wherever it runs. */
export type RunningNode = {
  number: number;
  /** Control name, `fit07`. */
  name: string;
  controlIp: string;
  diskPath: string;
  /** What it is doing, as last heard. */
  phase(): NodePhase;
};

/** Where nodes run: all in this process on loopback addresses, or each in a process and network namespace of its own. */
export type NodeHost = {
  /** Rejects when the node's addresses are taken, or its process does not come up. */
  start(spec: NodeSpec): Promise<RunningNode>;
  /** Ends all nodes and whatever they share. */
  close(): Promise<void>;
  /** What has gone wrong in the emulation itself, one line each. */
  problems(): readonly string[];
};
