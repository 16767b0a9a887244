import { type Burst, burstBlocksPerSecond } from './burst.js';
import { BITS_PER_BLOCK, type ServerEvent, type ServerStats, type ServerInfo } from '../frisbee/server-events.js';
import { CHUNK_BYTES } from '../ndz/codec/format.js';
import { clientStatsLines } from './frisbee-lines.js';

/** What a server was started with; `burst` null: no pacing. */
export type ServerLinesContext = { path: string; group: string; port: number; multicast: boolean; burst: Burst | null };

/** The lines of the 2015 frisbeed up to its first client. */
export function startLines(context: ServerLinesContext, info: ServerInfo): string {
  const { path, group, port, multicast, burst } = context;
  const lines = [
    ...(info.sizeBytes % CHUNK_BYTES === 0 ? [] : ['NOTE: serving non-image file, will ignore V1 JOINs']),
    `Opened ${path}: ${info.blocks} blocks (${info.sizeBytes} bytes)`,
    ...(burst ? [] : ['Maximum send bandwidth unlimited']),
    'clock resolution: 1000 us',
    `Maximum socket buffer size of ${info.receiveBufferBytes} bytes`,
    ...(burst
      ? [
          `Maximum send bandwidth ${megabits(burst)} Mbits/sec (${burstBlocksPerSecond(burst)} blocks/sec)`,
          `  burstsize=${burst.blocks}, burstinterval=${burst.intervalUs}us`,
        ]
      : []),
    `Bound to port ${port}`,
    ...(multicast ? [`Using Multicast ${group}`] : []),
  ];
  return `${lines.join('\n')}\n`;
}

/** The line (with the client's statistics, the lines) of one event; empty for those the 2015 program is silent about. */
export function eventLines(event: ServerEvent, path: string, now: Date): string {
  const client = 'clientId' in event ? `${event.address} (id ${event.clientId}, image ${path})` : '';
  switch (event.type) {
    case 'join':
      return `${client} joins (v${event.version}) at ${clock(now)}!  ${event.activeClients} active clients.\n`;
    case 'join-refused':
      return `${event.address} requested JOINv1 for non-image file, ignoring...\n`;
    case 'leave': {
      if (event.reason === 'replaced') return `${client} rejoins with different cid\n`;
      if (event.reason === 'silent') return `${client}: silent for long, taken for gone.  ${event.activeClients} active clients\n`;
      const line = `${client}: leaves at ${clock(now)}, ran for ${event.elapsedSeconds} seconds.  ${event.activeClients} active clients\n`;
      return event.stats ? line + clientStatsLines(event.clientId, event.stats) : line;
    }
    case 'failed':
      return `${event.message}\n`;
    case 'progress':
    case 'rate':
    case 'idle':
      return '';
  }
}

/** The two blocks a server ends with. */
export function endLines(context: ServerLinesContext, info: ServerInfo, stats: ServerStats): string {
  const { burst, path } = context;
  const seconds = (ms: number): string => (ms / 1000).toFixed(3);
  const lines = [
    'Params:',
    '  chunk/block size    1024/1024',
    `  sockbuf size        ${Math.floor(info.receiveBufferBytes / 1024)} KB`,
    `  burst size/interval ${burst ? `${burst.blocks}/${burst.intervalUs}` : 'unlimited'}`,
    `  bandwidth           ${burst ? `${megabits(burst)} Mbit/sec` : 'unlimited'}`,
    '  file read size      32 blocks',
    `  file:size           ${path}:${info.sizeBytes}`,
    'Stats:',
    `  service time:      ${seconds(stats.serviceMs)} sec`,
    `  user/sys CPU time: ${seconds(stats.userCpuMs)}/${seconds(stats.systemCpuMs)}`,
    `  msgs in/out:       ${stats.messagesIn}/${stats.messagesOut}`,
    `  joins/leaves:      ${stats.joins}/${stats.leaves}`,
    `  requests:          ${stats.requests} (${stats.mergedRequests} merged in queue)`,
    `  partial req/blks:  ${stats.partialRequests}/${stats.partialBlocks}`,
    `  duplicate req:     ${stats.duplicateRequests}`,
    `  client re-req:     ${stats.clientReRequests}`,
    `  1k blocks sent:    ${stats.sentBlocks} (${stats.repeatedBlocks} repeated)`,
    `  file reads:        ${stats.fileReads} (${stats.fileReadBytes} bytes)`,
    `  sendbuf overruns:  ${stats.sendRetries}`,
    `  max workq size:    ${stats.maxQueueEntries} elts`,
  ];
  return `${lines.join('\n')}\n`;
}

function megabits(burst: Burst): string {
  return ((burstBlocksPerSecond(burst) * BITS_PER_BLOCK) / 1_000_000).toFixed(3);
}

function clock(now: Date): string {
  return [now.getHours(), now.getMinutes(), now.getSeconds()].map((part) => String(part).padStart(2, '0')).join(':');
}
