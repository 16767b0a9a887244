import { CHUNK_BYTES } from '../../ndz/codec/format.js';
import type { TelnetSession } from '../../telnet/session.js';
import { childSignal, untilAborted } from '../../util/abort.js';
import { Failure } from '../../util/errors.js';
import type { NodeRun } from '../node-steps.js';
import { FrisbeeOutputParser } from './frisbee-output.js';
import type { ImageSession } from '../session/image-session.js';
import { fail } from '../failures.js';

export type WriteOptions = {
  /** The frisbee client as the ramdisk calls it. */
  program: string;
  device: string;
  /** Chunks in the image, for progress before the client has said so. */
  imageChunks: number;
  /** Silence of both the client's output and its requests that counts as a dead node, milliseconds. */
  stallMs: number;
  session: ImageSession;
  /** Whether a chunk that a node received damaged is whole in the image file; null when that cannot be told. */
  chunkIsWhole: (index: number) => Promise<boolean | null>;
};

/** Characters of a client's last words. */
const MAX_QUOTED = 300;

/** Runs the frisbee client on a node; returns the two numbers it says it wrote. Throws when it fails, stalls or says nothing. */
export async function writeImage(
  node: NodeRun,
  telnet: TelnetSession,
  options: WriteOptions,
  signal: AbortSignal,
): Promise<{ effectiveBytes: number; actualBytes: number }> {
  const { session, program, device } = options;
  const ip = node.target.control.ip;
  const parser = new FrisbeeOutputParser();
  const watch = watchForStall(node, options, signal);
  let shown = -1;
  const onText = (text: string): void => {
    watch.heard();
    parser.push(text);
    const { doneChunks, totalChunks } = parser.output;
    if (doneChunks === shown || totalChunks === null) return;
    shown = doneChunks;
    node.progress(Math.min(doneChunks, totalChunks) * CHUNK_BYTES, totalChunks * CHUNK_BYTES);
  };
  try {
    const command = `${program} -i ${ip} -m ${session.group} -p ${session.port} ${device}`;
    const { status } = await untilAborted(watch.signal, telnet.run(command, { signal: watch.signal, onText }));
    if (status !== 0) throw failed(node, status, parser.output.lastLine, await chunkFault(parser.output.lastLine, options));
  } finally {
    watch.stop();
  }
  if (!parser.output.wrote)
    throw fail(
      'no-write-report',
      `frisbee on ${node.name} ended with status 0 but never said 'Wrote N bytes'; its last words: ${quote(parser.output.lastLine)}`,
    );
  return parser.output.wrote;
}

/** A chunk that the client says is no good, and what to do: it may be the image here. */
type ChunkFault = { isOurs: boolean; hint: string };

/** Null when the client says something else. */
async function chunkFault(lastLine: string, { session, imageChunks, chunkIsWhole }: WriteOptions): Promise<ChunkFault | null> {
  const index = Number(/\bchunk (\d{1,7})\b/.exec(lastLine)?.[1] ?? NaN);
  const whole = index < imageChunks ? await chunkIsWhole(index) : null;
  if (whole === null) return null;
  const hint = whole
    ? `chunk ${index} of the image file is whole here: find who else sends in the session ${session.group}:${session.port}, or what damages data on the way to the node`
    : `chunk ${index} of the image file is damaged here, too: save the image again, or copy it again from where it came from`;
  return { isOurs: !whole, hint };
}

function failed(node: NodeRun, status: number, lastLine: string, fault: ChunkFault | null): Failure {
  const hints: Record<number, string> = {
    98: 'another frisbee still runs on the node: reset it',
    110: 'the node hears nothing from the server: does multicast pass from the gateway to it?',
    127: 'the PXE system has no such program: see frisbee.client in the configuration',
  };
  const failure = fail(
    status === 127 ? 'no-such-program' : 'frisbee-failed',
    `frisbee on ${node.name} ended with status ${status}; its last words: ${quote(lastLine)}`,
    hints[status] ?? fault?.hint ?? "the node's log has its whole output",
  );
  return fault?.isOurs ? failure.with({ blame: 'site', cure: 'person' }) : failure;
}

/** A node that dies without a word (power cut) leaves its telnet connection open for ever: silence is the only sign. */
function watchForStall(node: NodeRun, options: WriteOptions, signal: AbortSignal) {
  const child = childSignal(signal);
  const ip = node.target.control.ip;
  let lastHeardMs = node.host.monotonicMs();
  const timer = setInterval(
    () => {
      const nowMs = node.host.monotonicMs();
      const silentMs = nowMs - Math.max(lastHeardMs, options.session.lastHeardMs(ip) ?? 0);
      if (silentMs < options.stallMs) return;
      child.abort(
        fail(
          'write-stalled',
          `no output and no request from frisbee on ${node.name} (${ip}) for ${Math.round(silentMs / 1000)} s`,
          'has the node lost power, its network or its disk? imaging-status tells the first',
        ),
      );
    },
    Math.min(1_000, options.stallMs / 4),
  );
  return {
    signal: child.signal,
    heard: () => {
      lastHeardMs = node.host.monotonicMs();
    },
    stop: () => {
      clearInterval(timer);
      child.release();
    },
  };
}

function quote(text: string): string {
  return JSON.stringify(text.slice(0, MAX_QUOTED));
}
