import type { Outcome } from '../events/outcome.js';
import type { Emit } from '../events/types.js';
import type { Work } from '../events/work.js';
import type { ProgressMode } from '../monitor/monitor.js';
import type { Retention } from '../runs/retention.js';
import type { Host } from '../util/host.js';
import type { UndoStack } from '../util/undo.js';

export type WorkflowTools = {
  /** The name of this run. */
  run: string;
  host: Host;
  emit: Emit;
  signal: AbortSignal;
  /** Aborted by a first signal that a workflow with `onInterrupt: finish` takes softly. */
  finishing: AbortSignal;
  undo: UndoStack;
  /** Where a node's raw telnet output goes. */
  transcript: (node: string) => (bytes: Uint8Array) => void;
  /** To be told as soon as a node has ended: its result lines are printed. */
  onOutcome: (outcome: Outcome<unknown>) => void;
};

export type SkippedNode = { node: string; reason: string };

/** What of the site decides on how a run is kept; see `runSettings`. */
export type RunSettings = {
  /** Where run folders, boot records and the health history are. */
  stateDir: string;
  /** Nodes that were selected and are left alone, such as those in quarantine. */
  skipped: readonly SkippedNode[];
  retention: Retention;
  prometheusFile: string | null;
  quarantineAfter: number;
};

/** `stop`: a signal ends everything; `finish`: the first one lets nodes that are being written or read come to their end, and begins nothing new. */
export type OnInterrupt = 'stop' | 'finish';

/** What a command on nodes wants done; selection is over, nothing has been touched yet. */
export type NodeWorkflow = RunSettings & {
  /** Its steps, and what is to be known of them. */
  work: Work;
  /** Control names, in order. */
  nodes: readonly string[];
  /** What the plan says besides its nodes: goes into the first event and is what `--dry-run` prints. */
  details: Record<string, unknown>;
  warnings: readonly string[];
  dryRun: boolean;
  /** Whether the run keeps a folder with its events and the nodes' raw output. */
  keepsLogs: boolean;
  /** Files that it reads: for the run to be resumed they must be the same. */
  inputs?: readonly string[];
  /** Whether the final table is the command's result (stdout), or only failures are told (stderr) beside the result lines. */
  result: 'table' | 'lines' | 'silent';
  /** How long lines may be held back to come in order, milliseconds. */
  patienceMs: number;
  /** How progress is shown unless the command line says. */
  progress: ProgressMode;
  fold: (names: string[]) => string;
  /** So many good nodes are enough for exit code 0; all of them when missing. */
  enough?: number | null;
  /** Whether a first signal lets end what must not be cut off; `stop` when missing. */
  onInterrupt?: OnInterrupt;
  /** Gives up a plan that is not carried out here. */
  abandon?: () => Promise<void>;
  execute(tools: WorkflowTools): Promise<Outcome<unknown>[]>;
  /** Lines for scripts on stdout when a node has ended, such as `reboot01:on`. */
  resultLines(outcome: Outcome<unknown>): string[];
};
