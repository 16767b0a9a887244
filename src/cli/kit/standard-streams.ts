import { writeSync } from 'node:fs';
import { Socket } from 'node:net';
import type { Writable } from 'node:stream';
import { systemCode } from '../../util/errors.js';

/** An output that could not be written, and why. `told`: somebody has said so to the person. */
export type Loss = { readonly stream: 'standard output' | 'standard error'; readonly error: Error; told: boolean };

/** What was lost on standard output and standard error. Nothing of that ends a command; its exit code tells in the end. */
export type Losses = {
  readonly output: Loss | null;
  readonly error: Loss | null;
  /** Calls `listener` with each output that is lost from now on, once; returns how to end that. */
  onLoss(listener: (loss: Loss) => void): () => void;
};

/**
 * Watches the two outputs of the process from now on. A reader that goes away (`| head`) or a terminal that is closed is
 * no loss: what is written then, nobody wants. Another reason, such as a full disk, is one.
 */
export function watchStandardStreams(streams: { stdout: Writable; stderr: Writable } = process): Losses {
  const listeners = new Set<(loss: Loss) => void>();
  const losses = {
    output: null as Loss | null,
    error: null as Loss | null,
    onLoss: (listener: (loss: Loss) => void) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
  const watch = (which: 'output' | 'error', stream: Writable): void => {
    writeWhole(stream);
    stream.on('error', (error: Error) => {
      if (losses[which] !== null || isGone(stream, error)) return;
      const loss: Loss = (losses[which] = { stream: `standard ${which}`, error, told: false });
      for (const listener of listeners) listener(loss);
    });
  };
  watch('output', streams.stdout);
  watch('error', streams.stderr);
  return losses;
}

function isGone(stream: Writable, error: Error): boolean {
  const code = systemCode(error) ?? '';
  return code === 'EPIPE' || code === 'ERR_STREAM_DESTROYED' || (code === 'EIO' && 'isTTY' in stream && stream.isTTY === true);
}

/** A disk that fills up takes a part of a piece without a complaint, and Node.js asks no further: this writes the rest, or gets the error. */
function writeWhole(stream: Writable): void {
  if (stream instanceof Socket || !('fd' in stream) || typeof stream.fd !== 'number') return;
  const { fd } = stream;
  stream._write = (chunk: unknown, _encoding, done) => {
    try {
      let rest = Buffer.isBuffer(chunk) ? chunk : Buffer.from(String(chunk));
      while (rest.length > 0) rest = rest.subarray(writeSync(fd, rest));
      done();
    } catch (error) {
      done(error instanceof Error ? error : new Error(String(error)));
    }
  };
}
