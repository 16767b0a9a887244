import type { EventBody } from '../events/types.js';
import { formatBytes, formatDuration } from './format.js';
import { counted } from './nouns.js';
import { doneText } from './result-text.js';

/** One event as one line of text without time or prefix, or null when it is too small to tell. */
export function eventText(event: EventBody): string | null {
  switch (event.type) {
    case 'run.started':
      return `imaging-${event.command} on ${counted(event.kind, event.targets.length)}`;
    case 'run.note':
      return event.text;
    case 'run.warning':
      return `warning: ${event.text}`;
    case 'target.step':
      return `${event.target} ${event.step}${event.attempt > 1 ? ` (attempt ${event.attempt})` : ''}`;
    case 'target.note':
      return `${event.target} ${event.step}: ${event.text}`;
    case 'target.retry':
      return `${event.target} ${event.step}: trying again: ${event.reason}`;
    case 'target.progress':
      return null;
    case 'target.failed':
      return `${event.target} FAILED at ${event.step}: ${event.message} [${event.code}]${event.hint ? `; try: ${event.hint}` : ''}`;
    case 'target.done': {
      const text = doneText({ name: event.target, result: event.result, remarks: event.remarks ?? [] });
      return `${event.target} ok in ${formatDuration(event.elapsedMs)}${text === '' ? '' : `: ${text}`}`;
    }
    case 'target.skipped':
      return `${event.target} skipped: ${event.reason}`;
    case 'server.started':
      return `${event.engine} server on ${event.group}:${event.port} sends ${event.image} at up to ${Math.round(event.rateBps / 1e6)} Mbit/s`;
    case 'server.join':
      return `${event.target ?? event.address} joined the session (client ${event.clientId})`;
    case 'server.leave':
      return `${event.target ?? event.address} left the session (client ${event.clientId})`;
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
