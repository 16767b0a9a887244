import { isChunkFault } from '../codec/chunk-fault.js';
import { readChunkBytes } from '../read/image-source.js';
import { inflatePieces, openChunk } from '../codec/inflate.js';
import { openImage } from '../read/inspect.js';

/** Whether one chunk of an image file is as it was made: its header, its stream and its SHA1, where it has one. Throws Failure `ndz-unreadable`. */
export async function isChunkWhole(path: string, index: number): Promise<boolean> {
  const handle = await openImage(path);
  try {
    const bytes = readChunkBytes(handle.fd, path, index);
    for await (const piece of inflatePieces(bytes, openChunk(bytes, index))) void piece;
    return true;
  } catch (error) {
    if (isChunkFault(error)) return false;
    throw error;
  } finally {
    await handle.close();
  }
}
