/** Somebody who is told of changes; `close` ends that and leaves nothing open. */
export type Output = { close(): Promise<void> };
