import type { BlockMap } from './block-map.js';
import type { ClientStats } from './client-stats.js';

/**
 * The frisbee protocol as the 2011-2016 programs speak it: UDP datagrams of a 16-byte header and a body, everything
 * little-endian in C layout but the sender's address. Verified against captures of the 2015 binaries.
 */
export type Message =
  | { kind: 'join'; version: 1; clientId: number }
  | { kind: 'join'; version: 2; clientId: number; blocks: number; chunkBlocks: number; blockBytes: number; sizeBytes: bigint }
  | { kind: 'joined'; version: 1; blocks: number }
  | { kind: 'joined'; version: 2; clientId: number; blocks: number; chunkBlocks: number; blockBytes: number; sizeBytes: bigint }
  | { kind: 'leave'; clientId: number; elapsedSeconds: number }
  | { kind: 'leave2'; clientId: number; elapsedSeconds: number; statsVersion: number; stats: ClientStats }
  | { kind: 'block'; chunk: number; block: number /** 1024 bytes, a view of the datagram */; data: Uint8Array }
  | { kind: 'request'; chunk: number; first: number; count: number }
  | { kind: 'prequest'; chunk: number /** 0: the first time this client asks for the chunk */; retries: number; map: BlockMap }
  | { kind: 'progress-request'; clientId: number; who: number; when: number; what: number; seq: number }
  | { kind: 'progress'; clientId: number; who: number; when: number; what: number; seq: number; summary: ProgressSummary | null };

/** What a PROGRESS report (releases after 2016) says of a client. */
export type ProgressSummary = { chunksReceived: number; chunksWritten: number; bytesWritten: bigint };

/** A message and its sender's claimed address (IPv4 as an unsigned number, first byte highest). */
export type Envelope<M extends Message = Message> = { srcIp: number; message: M };

/** A random client id: 31 bits, never 0. */
export function randomClientId(random: () => number): number {
  return 1 + Math.floor(random() * (0x7fff_ffff - 1));
}
