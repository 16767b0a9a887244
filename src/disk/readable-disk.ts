import { open, type FileHandle } from 'node:fs/promises';
import { messageOf } from '../util/errors.js';
import { kindOf } from './device.js';
import { type DirectDevice, openDirect } from './direct.js';
import { fail } from './failures.js';

/** A disk or file that is open to be read: a block device past the page cache, where that is possible. */
export type ReadableDisk = { fd: number; isBlock: boolean; direct: DirectDevice | null; close(): Promise<void> };

/** Throws Failure `source-read-failed` naming path and cause. */
export async function openReadableDisk(path: string): Promise<ReadableDisk> {
  let handle: FileHandle | undefined;
  try {
    handle = await open(path, 'r');
    const { fd } = handle;
    const isBlock = (await kindOf(handle)) === 'block';
    const direct = isBlock ? await openDirect(handle, false) : null;
    const handles = [handle, ...(direct ? [direct.handle] : [])];
    return {
      fd,
      isBlock,
      direct: direct && { fd: direct.fd, unitBytes: direct.unitBytes },
      close: async () => void (await Promise.all(handles.map((each) => each.close()))),
    };
  } catch (error) {
    await handle?.close();
    throw fail('source-read-failed', `opening ${path}: ${messageOf(error)}`, 'does it exist, and may this user read it?', {
      cause: error,
    });
  }
}
