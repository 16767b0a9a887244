import type { ReceiveResult } from '../frisbee/receive-options.js';

/** Chunks per line of dots. */
const DOTS_PER_LINE = 67;

/** The lines of the 2015 frisbee client, for whoever has to look like one. Each ends with a newline. */
export function boundLines(session: { receiveBufferBytes: number; port: number; group: string; multicast: boolean }): string {
  const { receiveBufferBytes, port, group, multicast } = session;
  return `Maximum socket buffer size of ${receiveBufferBytes} bytes\nBound to port ${port}\n${multicast ? `Using Multicast ${group}\n` : ''}`;
}

export function joinedLine(joined: { elapsedMs: number; clientId: number; chunks: number; sizeBytes: number }): string {
  return `Joined the team after ${Math.floor(joined.elapsedMs / 1000)} sec. ID is ${joined.clientId}. File is ${joined.chunks} chunks (${joined.sizeBytes} bytes)\n`;
}

/** One dot for a chunk that was written; at the end of a line also the seconds since the start and the chunks still missing. */
export function chunkDot(chunk: { doneChunks: number; totalChunks: number; elapsedMs: number }): string {
  if (chunk.doneChunks % DOTS_PER_LINE !== 0) return '.';
  const seconds = String(Math.floor(chunk.elapsedMs / 1000)).padStart(4);
  return `.${seconds} ${String(chunk.totalChunks - chunk.doneChunks).padStart(6)}\n`;
}

/** The last lines: statistics unless `quiet`, then "Left the team…", "Wrote…" and the three counters. */
export function farewellLines(result: ReceiveResult, quiet: boolean): string {
  const { clientId, stats, effectiveBytes, actualBytes, writes, overflowed } = result;
  const overflows = overflowed === 0 ? '' : `  socket buffer overflows: ${overflowed}\n`;
  const block = quiet ? '' : `\n${clientStatsLines(clientId, stats)}\n${overflows}`;
  return (
    `${block}Left the team after ${stats.runSeconds} seconds on the field!\n` +
    `Wrote ${effectiveBytes} bytes (${actualBytes} actual)\n` +
    `${stats.decompressBlocks} ${stats.writerIdles} ${writes}\n`
  );
}

/** The statistics block, as the client prints it at the end and the server when the client leaves. */
export function clientStatsLines(clientId: number, stats: ReceiveResult['stats']): string {
  const perSecond = (bytes: number): number => Math.floor(bytes / Math.max(1, stats.runSeconds));
  const lines = [
    `Client ${clientId} Performance:`,
    `  runtime:                ${stats.runSeconds}.${String(stats.runMilliseconds).padStart(3, '0')} sec`,
    `  start delay:            ${Math.floor(stats.delayMs / 1000)}.${String(stats.delayMs % 1000).padStart(3, '0')} sec`,
    `  real data written:      ${stats.realBytesWritten} (${perSecond(stats.realBytesWritten)} Bps)`,
    `  effective data written: ${stats.effectiveBytesWritten} (${perSecond(stats.effectiveBytesWritten)} Bps)`,
    `Client ${clientId} Params:`,
    '  chunk/block size:     1024/1024',
    `  chunk buffers:        ${stats.chunkBuffers}`,
    `  disk buffering (MB):  ${stats.writeBufferMb}`,
    '  sockbuf size (KB):    1024',
    `  readahead/inprogress: ${stats.readAhead}/${stats.inProgress}`,
    `  recv timo/count:      ${stats.packetTimeoutUs}/${stats.idleTimer}`,
    `  re-request delay:     ${stats.redoDelayUs}`,
    `  writer idle delay:    ${stats.idleDelayUs}`,
    `  randomize requests:   ${stats.randomize}`,
    `Client ${clientId} Stats:`,
    `  net thread idle/blocked:        ${stats.receiveIdles}/${stats.noFreeChunks}`,
    `  decompress thread idle/blocked: ${stats.noChunksReady}/${stats.decompressBlocks}`,
    `  disk thread idle:        ${stats.writerIdles}`,
    `  join/request msgs:       ${stats.joinAttempts}/${stats.requests}`,
    `  dupblocks(chunk done):   ${stats.duplicateChunks}`,
    `  dupblocks(in progress):  ${stats.duplicateBlocks}`,
    `  partial requests/blocks: ${stats.partialRequests}/${stats.lostBlocks}`,
    `  re-requests:             ${stats.reRequests}`,
    `  full chunk re-requests:  ${stats.fullReRequests}`,
    `  partially-filled drops:  ${stats.partialDrops}`,
  ];
  return `${lines.join('\n')}\n`;
}
