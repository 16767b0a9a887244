import type { NodeSpec } from './emulated-node.js';
import type { NodePhase } from './node-machine.js';
import type { ShellProgram } from './shell-program.js';

/** What a node's own process is told. */
export type ToNodeProcess =
  | {
      kind: 'start';
      spec: NodeSpec;
      /** A real shell for its sessions; null: the built-in one. */
      shellProgram: ShellProgram | null;
      sessionsFolder: string;
      /** Another program as its frisbee; null: our own client. */
      frisbeeBin: string | null;
      sshHostKey: string;
    }
  | { kind: 'close' };

/** What it says. */
export type FromNodeProcess =
  | { kind: 'started' }
  | { kind: 'failed'; message: string }
  | { kind: 'phase'; phase: NodePhase }
  | { kind: 'problem'; text: string }
  | { kind: 'closed' };
