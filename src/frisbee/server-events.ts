import type { FailureData } from '../util/failures.js';
import type { ClientStats } from './client-stats.js';
import type { RateReason } from './rate-control.js';

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
