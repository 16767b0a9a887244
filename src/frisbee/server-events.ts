import type { FailureData } from '../util/failures.js';
import type { ClientStats } from './client-stats.js';
import type { SessionAddress } from './session-address.js';

/** What one block costs in the rate arithmetic of the 2015 binaries: (1056 in memory + 28 UDP/IP + 38 Ethernet) x 8. */
export const BITS_PER_BLOCK = 8976;

/** What a server is told. */
export type ServerOptions = SessionAddress & {
  imagePath: string;
  /** Bits per second in the real server's arithmetic (8976 per block); Infinity: as fast as the receivers take it. */
  rateBps: number;
  /** After so long without a request an 'idle' event is emitted, once; the server goes on. Default: never. */
  idleTimeoutMs?: number;
  /** An 'idle' event too when so long has passed since the last client left. Default: never. */
  desertedTimeoutMs?: number;
  /** After so long without any datagram the group is joined anew. Default: never. */
  keepaliveMs?: number;
  /** A client that was silent for so long is reported as gone. Default: 3 minutes. */
  clientSilentMs?: number;
};

/** What the kernel granted, and what is being served. */
export type ServerInfo = { receiveBufferBytes: number; sendBufferBytes: number; sizeBytes: number; blocks: number };

/** What a server reports. `address` is the client's IPv4 address; `clientId` is what it chose for itself. */
export type ServerEvent =
  | {
      type: 'join';
      address: string;
      clientId: number;
      version: 1 | 2 /** the same client asked before */;
      again: boolean;
      activeClients: number;
    }
  | { type: 'join-refused'; address: string }
  | {
      type: 'leave';
      address: string;
      clientId: number;
      elapsedSeconds: number;
      reason: LeaveReason;
      stats: ClientStats | null;
      activeClients: number;
    }
  | {
      type: 'progress';
      address: string;
      clientId: number /** blocks of chunks this client was the one to ask for */;
      askedBlocks: number;
      totalBlocks: number;
      idleMs: number;
    }
  | { type: 'rate'; rateBps: number; sentBlocks: number; repeatedBlocks: number; reason: RateReason }
  | { type: 'idle'; reason: 'no-requests' | 'last-client-left' }
  | ({ type: 'failed' } & FailureData);

/** Why the rate is what it is now. */
export type RateReason = 'measured' | 'backed-off' | 'climbing';

/** It said so; another client came from the same address; or nothing was heard of it for long. */
export type LeaveReason = 'left' | 'replaced' | 'silent';

/** Totals of a server's life. Times in milliseconds, sizes in blocks of 1024 bytes unless named otherwise. */
export type ServerStats = {
  sentBlocks: number;
  /** Blocks that had been sent before. */
  repeatedBlocks: number;
  messagesIn: number;
  messagesOut: number;
  joins: number;
  leaves: number;
  requests: number;
  mergedRequests: number;
  partialRequests: number;
  partialBlocks: number;
  duplicateRequests: number;
  clientReRequests: number;
  fileReads: number;
  fileReadBytes: number;
  sendRetries: number;
  maxQueueEntries: number;
  /** From the first join to the last request or leave. */
  serviceMs: number;
  userCpuMs: number;
  systemCpuMs: number;
  rateBps: number;
};

/** Statistics of a server that has done nothing. */
export function emptyServerStats(): ServerStats {
  return {
    sentBlocks: 0,
    repeatedBlocks: 0,
    messagesIn: 0,
    messagesOut: 0,
    joins: 0,
    leaves: 0,
    requests: 0,
    mergedRequests: 0,
    partialRequests: 0,
    partialBlocks: 0,
    duplicateRequests: 0,
    clientReRequests: 0,
    fileReads: 0,
    fileReadBytes: 0,
    sendRetries: 0,
    maxQueueEntries: 0,
    serviceMs: 0,
    userCpuMs: 0,
    systemCpuMs: 0,
    rateBps: 0,
  };
}
