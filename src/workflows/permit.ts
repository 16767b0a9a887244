/** Asked before each step that changes a node: rejects with a Failure when the run's owner may not (any more). */
export type Permit = (node: string, signal: AbortSignal) => Promise<void>;
