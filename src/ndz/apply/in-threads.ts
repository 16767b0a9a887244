import { availableParallelism } from 'node:os';
import type { Readable } from 'node:stream';
import { CHUNK_BYTES } from '../codec/format.js';
import { streamImage, type StreamSummary } from '../read/image-stream.js';
import type { ImageInfo } from '../read/inspect.js';
import { openImage } from '../read/open-image.js';
import type { ChunkJobResult, JobImage, JobTarget } from '../threads/chunk-jobs.js';
import { eachChunk, openChunkPool } from '../threads/chunk-pool.js';

type Options = { zeroFill?: boolean; allowCut?: boolean; workers?: number; signal?: AbortSignal };

/** Applies the chunks of an image in a file, each in a thread that reads it. `onDone` gets what each came to, in any order. */
export async function applyFile(
  info: ImageInfo,
  target: JobTarget,
  onDone: (result: ChunkJobResult) => void,
  { zeroFill = false, workers, signal }: Options,
): Promise<void> {
  const handle = await openImage(info.path);
  const image: JobImage = { fd: handle.fd, name: info.path, uuid: info.uuid, version: info.version };
  const pool = openChunkPool({ image, target }, workers);
  try {
    const positions = Array.from({ length: info.chunkCount }, (_, position) => position);
    await eachChunk(pool, positions, (position) => ({ kind: 'apply', position, bytes: null, zeroFill }), onDone, signal);
  } finally {
    await pool.close();
    await handle.close();
  }
}

/** Applies the chunks of an image that comes front to back; returns what they say together. */
export async function applyStream(
  image: Readable,
  target: JobTarget,
  onDone: (result: ChunkJobResult) => void,
  { zeroFill = false, allowCut = false, workers = availableParallelism(), signal }: Options,
): Promise<StreamSummary> {
  const pool = openChunkPool({ target }, workers);
  // chunks are handed over in shared memory that is used again when they are done
  const free: Uint8Array[] = Array.from({ length: 2 * workers + 2 }, () => new Uint8Array(new SharedArrayBuffer(CHUNK_BYTES)));
  const stream = streamImage(image, 'the image', { ...(signal ? { signal } : {}), allowCut });
  let summary: StreamSummary | null = null;
  const chunks = async function* (): AsyncGenerator<{ position: number; bytes: Uint8Array }> {
    let next = await stream.next();
    for (; !next.done; next = await stream.next()) {
      const bytes = free.pop();
      if (!bytes) throw new Error('more chunks at once than there is memory for');
      bytes.set(next.value.bytes);
      yield { position: next.value.position, bytes };
    }
    summary = next.value;
  };
  const release = (result: ChunkJobResult, { bytes }: { bytes: Uint8Array }): void => {
    free.push(bytes);
    onDone(result);
  };
  try {
    const jobOf = ({ position, bytes }: { position: number; bytes: Uint8Array }) => ({ kind: 'apply', position, bytes, zeroFill }) as const;
    await eachChunk(pool, chunks(), jobOf, release, signal, 2 * workers + 1);
    if (!summary) throw new Error('a stream of chunks ended without a summary');
    return summary;
  } finally {
    await pool.close();
  }
}
