import { HEADER_BYTES, headerEnd, MAX_STREAM_BYTES, type ChunkHeader } from '../codec/format.js';

/**
 * What the last chunk there is tells of the image's end. `marked`: it says that it is the last. `open`: it has room left, and
 * every writer fills a chunk before it begins the next. `full`: it may be the last or not. `cut`: it says that others follow.
 */
export type Ending = 'marked' | 'open' | 'full' | 'cut';

/** imagezip goes on to the next chunk when less than this is left; ours too. */
const ROOM_BYTES = 8192;
/** Or when its header has no room for another region; ours keeps some for what it writes besides. */
const HEADER_ROOM_BYTES = 40;

export function endingOf(last: ChunkHeader): Ending {
  if (last.endMark) return last.endMark.chunkCount === 0 ? 'cut' : 'marked';
  if (last.version === 1) return last.total === 0 ? 'full' : 'marked';
  // the limit on regions is that of version 4 in all versions
  const usedBytes = headerEnd({ ...last, version: 4 });
  return MAX_STREAM_BYTES - last.sizeBytes < ROOM_BYTES || HEADER_BYTES - usedBytes < HEADER_ROOM_BYTES ? 'full' : 'open';
}
