import { open, realpath, rename, rm, stat, type FileHandle } from 'node:fs/promises';
import type { Writable } from 'node:stream';
import { untilAborted } from '../../util/abort.js';
import { Failure, messageOf, systemCode } from '../../util/errors.js';
import { pathBeside } from '../../util/path-beside.js';
import { fail } from '../failures.js';

/** Where an image file is written, front to back. `bytes` may be reused when `write` resolves. */
export type ImageOutput = {
  write(bytes: Uint8Array): Promise<void>;
  /** Makes the image appear under its name, complete and on the medium. */
  commit(): Promise<void>;
  /** Leaves nothing behind; does nothing after `commit`. */
  discard(): Promise<void>;
};

/**
 * A file that appears under its name only when it is complete: written beside it under a hidden name, then renamed. A
 * symbolic link keeps pointing where it did; a device or pipe is written directly.
 * Throws Failure `image-write-failed` naming path and cause.
 */
export async function fileOutput(path: string): Promise<ImageOutput> {
  const existing = await stat(path).catch(() => undefined); // a new file
  const isDirect = existing !== undefined && !existing.isFile() && !existing.isDirectory();
  const finalPath = existing ? await realpath(path) : path;
  const writtenPath = isDirect ? path : await pathBeside(finalPath);
  const failure = (doing: string, error: unknown): Failure =>
    fail('image-write-failed', `${doing} ${path}: ${messageOf(error).replaceAll(writtenPath, path)}`, writeHint(error), {
      cause: error,
    });
  let handle: FileHandle;
  try {
    if (existing?.isDirectory()) throw new Error('it is a folder');
    handle = await open(writtenPath, isDirect ? 'w' : 'wx', 0o666);
  } catch (error) {
    throw failure('creating', error);
  }
  let isOpen = true;
  const close = async (): Promise<void> => {
    if (isOpen) {
      isOpen = false;
      await handle.close();
    }
  };
  let isCommitted = false;
  return {
    async write(bytes) {
      try {
        for (let done = 0; done < bytes.byteLength; ) done += (await handle.write(bytes, done)).bytesWritten;
      } catch (error) {
        throw failure('writing', error);
      }
    },
    async commit() {
      try {
        if (!isDirect) await handle.sync();
        await close();
        if (!isDirect) await rename(writtenPath, finalPath);
        isCommitted = true;
      } catch (error) {
        throw failure('finishing', error);
      }
    },
    async discard() {
      await close();
      if (!isCommitted && !isDirect) await rm(writtenPath, { force: true });
    },
  };
}

function writeHint(error: unknown): string | undefined {
  switch (systemCode(error)) {
    case 'ENOSPC':
      return 'free some space';
    case 'ENOENT':
      return 'does its folder exist?';
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return 'may this user write there?';
    default:
      return undefined;
  }
}

/** A pipe or standard output; it is left open for who gave it. Throws Failure `image-write-failed`, or the signal's reason. */
export function streamOutput(output: Writable, signal?: AbortSignal): ImageOutput {
  let broken: Error | undefined;
  let onBroken: (error: Error) => void = () => undefined;
  const onError = (error: Error): void => onBroken((broken ??= error));
  const onClose = (): void => onError(new Error('the reader has gone'));
  output.on('error', onError).on('close', onClose);
  const release = (): Promise<void> => {
    output.off('close', onClose); // errors may still come from what is buffered: they stay handled
    return Promise.resolve();
  };
  return {
    async write(bytes) {
      const written = new Promise<void>((resolve, reject) => {
        onBroken = reject;
        if (broken || output.destroyed) return reject(broken ?? new Error('the reader has gone'));
        output.write(bytes, (error) => (error ? reject(error) : resolve()));
      });
      try {
        await (signal ? untilAborted(signal, written) : written);
      } catch (error) {
        if (signal?.aborted) throw error;
        throw fail('image-write-failed', `writing the image: ${messageOf(error)}`, 'did the receiving program end?', {
          cause: error,
        });
      }
    },
    commit: release,
    discard: release,
  };
}
