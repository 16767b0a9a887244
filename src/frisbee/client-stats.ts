/**
 * What a client tells about itself when it leaves (LEAVE2), in wire order. All are non-negative integers of 32 bits
 * but the two byte counts; durations are in microseconds where the name says so. Purely informational.
 */
export type ClientStats = {
  runSeconds: number;
  runMilliseconds: number;
  delayMs: number;
  realBytesWritten: number;
  effectiveBytesWritten: number;
  chunkBuffers: number;
  readAhead: number;
  inProgress: number;
  packetTimeoutUs: number;
  startDelay: number;
  idleTimer: number;
  idleDelayUs: number;
  redoDelayUs: number;
  randomize: number;
  noChunksReady: number;
  noFreeChunks: number;
  duplicateChunks: number;
  duplicateBlocks: number;
  partialRequests: number;
  receiveIdles: number;
  joinAttempts: number;
  requests: number;
  decompressBlocks: number;
  writerIdles: number;
  writeBufferMb: number;
  lostBlocks: number;
  reRequests: number;
  partialDrops: number;
  fullReRequests: number;
};

const FIELDS = [
  ['runSeconds', 4],
  ['runMilliseconds', 4],
  ['delayMs', 4],
  ['realBytesWritten', 8],
  ['effectiveBytesWritten', 8],
  ['chunkBuffers', 4],
  ['readAhead', 4],
  ['inProgress', 4],
  ['packetTimeoutUs', 4],
  ['startDelay', 4],
  ['idleTimer', 4],
  ['idleDelayUs', 4],
  ['redoDelayUs', 4],
  ['randomize', 4],
  ['noChunksReady', 4],
  ['noFreeChunks', 4],
  ['duplicateChunks', 4],
  ['duplicateBlocks', 4],
  ['partialRequests', 4],
  ['receiveIdles', 4],
  ['joinAttempts', 4],
  ['requests', 4],
  ['decompressBlocks', 4],
  ['writerIdles', 4],
  ['writeBufferMb', 4],
  ['lostBlocks', 4],
  ['reRequests', 4],
  ['partialDrops', 4],
  ['fullReRequests', 4],
] as const satisfies readonly (readonly [keyof ClientStats, 4 | 8])[];

/** Statistics with every field 0. */
export function emptyClientStats(): ClientStats {
  return Object.fromEntries(FIELDS.map(([name]) => [name, 0])) as ClientStats; // FIELDS names every key
}

/** Reads the packed statistics at `offset`; the caller has checked that the bytes of all FIELDS are there. */
export function readClientStats(bytes: Buffer, offset: number): ClientStats {
  const stats = emptyClientStats();
  let at = offset;
  for (const [name, size] of FIELDS) {
    stats[name] = size === 8 ? Number(bytes.readBigUInt64LE(at)) : bytes.readUInt32LE(at);
    at += size;
  }
  return stats;
}

/** Writes the packed statistics at `offset`; values that do not fit are cut to their field. */
export function writeClientStats(stats: ClientStats, bytes: Buffer, offset: number): void {
  let at = offset;
  for (const [name, size] of FIELDS) {
    if (size === 8) bytes.writeBigUInt64LE(BigInt.asUintN(64, BigInt(Math.trunc(stats[name]))), at);
    else bytes.writeUInt32LE(stats[name] >>> 0, at);
    at += size;
  }
}
