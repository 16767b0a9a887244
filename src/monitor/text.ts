import type { EventBody } from '../events/types.js';
import { formatBytes, formatDuration } from './format.js';

/** One event as one line of text without time or prefix, or null when it is too small to tell. */
export function eventText(event: EventBody): string | null {
  switch (event.type) {
    case 'run.started':
      return `imaging-${event.command} on ${event.nodes.length} node${event.nodes.length === 1 ? '' : 's'}`;
    case 'run.note':
      return event.text;
    case 'run.warning':
      return `warning: ${event.text}`;
    case 'node.step':
      return `${event.node} ${event.step}${event.attempt > 1 ? ` (attempt ${event.attempt})` : ''}`;
    case 'node.note':
      return `${event.node} ${event.step}: ${event.text}`;
    case 'node.retry':
      return `${event.node} ${event.step}: trying again: ${event.reason}`;
    case 'node.progress':
      return null;
    case 'node.failed':
      return `${event.node} FAILED at ${event.step}: ${event.message} [${event.code}]${event.hint ? `; try: ${event.hint}` : ''}`;
    case 'node.done':
      return `${event.node} ok in ${formatDuration(event.elapsedMs)}${event.detail ? `: ${event.detail}` : ''}`;
    case 'node.skipped':
      return `${event.node} skipped: ${event.reason}`;
    case 'server.started':
      return `${event.engine} server on ${event.group}:${event.port} sends ${event.image} at up to ${Math.round(event.rateBps / 1e6)} Mbit/s`;
    case 'server.join':
      return `${event.node ?? event.address} joined the session (client ${event.clientId})`;
    case 'server.leave':
      return `${event.node ?? event.address} left the session (client ${event.clientId})`;
    case 'server.progress':
      return null;
    case 'server.rate':
      return event.reason === 'measured' ? null : `server ${event.reason} to ${Math.round(event.rateBps / 1e6)} Mbit/s`;
    case 'server.stopped':
      return `server stopped after ${formatBytes(event.sentBlocks * 1024)}, of these ${formatBytes(event.repeatedBlocks * 1024)} sent again`;
    case 'run.interrupted':
      return event.then === 'finish'
        ? `${event.signal}: what is being written is brought to its end, nothing new begins; once more cuts it off`
        : `${event.signal}: the run ends`;
    case 'run.failed':
      return `not done: ${event.message} [${event.code}]${event.hint ? `; try: ${event.hint}` : ''}`;
    case 'run.finished':
      return `${event.ok.length} ok, ${event.failed.length} failed, ${event.skipped.length} skipped in ${formatDuration(event.elapsedMs)}, exit code ${event.exitCode}`;
  }
}
