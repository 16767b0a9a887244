import type { FileHandle } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { openChunkPool, type ChunkPool } from '../threads/chunk-pool.js';
import type { DigestName, ByteRange, DigestGroup } from '../../disk/digest.js';
import { inflatedBytes } from '../codec/format.js';
import { edgeRegion, pickSample, rangeOfPick, WHOLE_BYTES, wholeChunk, withoutOverlaps, type Pick } from './read-back.js';
import { openImage, readHeader } from '../read/open-image.js';
import { inspectImage, type ImageInfo } from '../read/inspect.js';

export type ImageDigestsOptions = {
  /** `full`: everything the image writes; `sample`: its first and last region and 64 ranges at random places. */
  mode: 'sample' | 'full';
  /** How many reads one digest may be made of. */
  maxPieces: number;
  /** Uniform in [0, 1): chooses the sample. */
  random: () => number;
  signal: AbortSignal;
};

/** What a disk must hold at some places. */
export type ExpectedDigests = { position: number; groups: readonly DigestGroup[]; digests: readonly string[] };

type Item = { position: number /** Null: the whole chunk. */; groups: readonly DigestGroup[] | null };

const AHEAD = 8;

/**
 * What must be read back from a disk an image was written to, and with which digests. They are computed in worker threads,
 * once, whoever asks first; what is kept of a chunk is its digests alone. Close it when done.
 */
export class ImageDigests {
  /** Bytes the image writes, and how many of them are read back. */
  readonly imageBytes: number;
  readonly checkedBytes: number;
  /** Each is asked for by its number; they ascend on the disk. */
  readonly itemCount: number;
  readonly #handle: FileHandle;
  readonly #pool: ChunkPool;
  readonly #items: readonly Item[];
  readonly #options: ImageDigestsOptions;
  readonly #known = new Map<DigestName, Promise<string[]>[]>();

  private constructor(info: ImageInfo, handle: FileHandle, items: readonly Item[], options: ImageDigestsOptions) {
    this.imageBytes = info.actualBytes;
    this.checkedBytes = items.some(({ groups }) => groups === null) ? info.actualBytes : bytesOf(items);
    this.itemCount = items.length;
    this.#handle = handle;
    this.#items = items;
    this.#options = options;
    const image = { fd: handle.fd, name: info.path, uuid: info.uuid, version: info.version };
    this.#pool = openChunkPool({ image }, Math.max(1, availableParallelism() - 1)); // the server has a thread of its own
  }

  /** Throws as `inspectImage` does. */
  static async open(path: string, options: ImageDigestsOptions): Promise<ImageDigests> {
    const { mode, random, signal } = options;
    const chunkBytes: number[] = [];
    const info = await inspectImage(path, { signal, onHeader: (header) => void chunkBytes.push(inflatedBytes(header)) });
    const handle = await openImage(path);
    try {
      const whole = chunkBytes.map((_, position) => ({ position, groups: null }));
      const sample = mode === 'full' || info.actualBytes <= WHOLE_BYTES ? null : await sampleItems(handle, chunkBytes, random);
      const isSmaller = sample !== null && bytesOf(sample) < info.actualBytes;
      return new ImageDigests(info, handle, isSmaller ? sample : whole, options);
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  /** Computes everything ahead of who will ask. Resolves when done; a failure is told to who asks for it. */
  async prepare(digest: DigestName): Promise<void> {
    let next = 0;
    const work = async (): Promise<void> => {
      while (next < this.itemCount) await this.#digestsOf(next++, digest).catch(() => undefined);
    };
    await Promise.all(Array.from({ length: AHEAD }, work));
  }

  /** What item `number` is and must have. Throws the Failures of `openChunk` and `inflatePieces`, `ndz-unreadable`, `worker-crashed`. */
  async item(number: number, digest: DigestName): Promise<ExpectedDigests> {
    const groups = await this.#groupsOf(number);
    return { position: this.#items[number]?.position ?? 0, groups, digests: await this.#digestsOf(number, digest) };
  }

  /** The digests of other ranges of a chunk, for looking closer. Throws as `item` does. */
  async digests(position: number, groups: readonly DigestGroup[], digest: DigestName): Promise<readonly string[]> {
    return (await this.#pool.run({ kind: 'digest', position, groups, digest }, { urgent: true })).digests;
  }

  async close(): Promise<void> {
    await this.#pool.close();
    await this.#handle.close();
  }

  #digestsOf(number: number, digest: DigestName): Promise<string[]> {
    const known = this.#known.get(digest) ?? [];
    this.#known.set(digest, known);
    return (known[number] ??= this.#compute(number, digest));
  }

  async #compute(number: number, digest: DigestName): Promise<string[]> {
    const groups = await this.#groupsOf(number);
    return (await this.#pool.run({ kind: 'digest', position: this.#items[number]?.position ?? 0, groups, digest })).digests;
  }

  async #groupsOf(number: number): Promise<readonly DigestGroup[]> {
    const item = this.#items[number];
    if (!item) throw new RangeError(`there are ${this.itemCount} items, not ${number + 1}`);
    return item.groups ?? wholeChunk(await readHeader(this.#handle, item.position), this.#options.maxPieces);
  }
}

/** The sample, chunk by chunk, each range a digest of its own: a wrong one tells where. No byte is read twice. */
async function sampleItems(handle: FileHandle, chunkBytes: readonly number[], random: () => number): Promise<Item[]> {
  const picks = new Map<number, Pick[]>();
  for (const pick of pickSample(chunkBytes, random)) picks.set(pick.position, [...(picks.get(pick.position) ?? []), pick]);
  const last = chunkBytes.length - 1;
  const positions = [...new Set([0, ...picks.keys(), last])].sort((a, b) => a - b);
  const items: Item[] = [];
  for (const position of positions) {
    const header = await readHeader(handle, position);
    const ranges: ByteRange[] = [
      ...(position === 0 ? edgeRegion(header, 'first') : []),
      ...(picks.get(position) ?? []).flatMap((pick) => rangeOfPick(header, pick) ?? []),
      ...(position === last ? edgeRegion(header, 'last') : []),
    ];
    items.push({ position, groups: withoutOverlaps(ranges).map((range) => [range]) });
  }
  return items;
}

/** Of the ranges that are chosen; whole chunks do not count. */
function bytesOf(items: readonly Item[]): number {
  return items.flatMap(({ groups }) => groups ?? []).reduce((sum, group) => sum + sizeOf(group), 0);
}

function sizeOf(group: DigestGroup): number {
  return group.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
}
