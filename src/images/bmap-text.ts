import { createHash } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { SaxesParser } from 'saxes';
import { reasonOf } from '../util/abort.js';
import { printable } from '../util/text.js';

/** What a .bmap file (of bmap-tools) says of a raw image: which blocks of it mean something, and their checksums. */
export type Bmap = {
  path: string;
  sizeBytes: number;
  blockBytes: number;
  checksumType: string | null;
  /** Blocks from `first` to `last`, both included, ascending. */
  ranges: { first: number; last: number; checksum: string | null }[];
};

/** How much is parsed before the event loop gets its turn: some milliseconds' worth. */
const SLICE_CHARS = 64 * 1024;
/** bmap > BlockMap > Range. */
const MAX_DEPTH = 3;
const MAX_ATTRIBUTES = 16;
/** What is between two tags is a number, a name or a checksum. */
const MAX_TEXT_CHARS = 4096;
const NEWEST_MAJOR = 2;
const HASHES = new Map([
  ['sha1', 'sha1'],
  ['sha256', 'sha256'],
  ['sha512', 'sha512'],
  ['md5', 'md5'],
]);

/** The name of a checksum in a bmap, as Node.js knows it; undefined for one that is not known. */
export function hashOf(checksumType: string | null): string | undefined {
  return HASHES.get(checksumType ?? '');
}

/**
 * Reads format versions 1.0 to 2.x. Throws Error for text that is no bmap, or a damaged one, or the signal's reason.
 */
export async function parseBmap(bytes: Buffer, path: string, signal?: AbortSignal): Promise<Bmap> {
  const reader = new BmapReader();
  const text = new TextDecoder().decode(bytes);
  for (let at = 0; at < text.length; at += SLICE_CHARS) {
    if (signal?.aborted) throw reasonOf(signal);
    reader.parser.write(text.slice(at, at + SLICE_CHARS));
    if (at + SLICE_CHARS < text.length) await nextTurn();
  }
  reader.parser.close();
  const { fields, ranges } = reader;
  if (!reader.isBmap) throw new Error('it is no block map');
  const [sizeBytes, blockBytes] = [whole(fields, 'ImageSize'), whole(fields, 'BlockSize')];
  refuseUnfit(ranges, sizeBytes, blockBytes, fields.get('MappedBlocksCount'));
  const checksumType = fields.get('ChecksumType') ?? (reader.hasSha1 ? 'sha1' : null);
  refuseDamaged(bytes, fields.get('BmapFileChecksum') ?? fields.get('BmapFileSHA1'), checksumType);
  return { path, sizeBytes, blockBytes, checksumType, ranges };
}

/** What the tags of a bmap say, gathered while they pass. A real XML parser reads them: linear, with no entities but XML's own. */
class BmapReader {
  readonly parser = new SaxesParser<{ xmlns: false; position: false }>({ xmlns: false, position: false });
  readonly fields = new Map<string, string>();
  readonly ranges: Bmap['ranges'] = [];
  isBmap = false;
  hasSha1 = false;
  readonly #path: string[] = [];
  #text = '';
  #checksum: string | null = null;
  #attributes = 0;

  constructor() {
    const { parser } = this;
    parser.on('error', (error) => {
      throw new Error(`it is no XML: ${printable(error.message).slice(0, 200)}`);
    });
    parser.on('doctype', () => {
      throw new Error('it has a document type, as no block map has');
    });
    parser.on('attribute', () => {
      if (++this.#attributes > MAX_ATTRIBUTES) throw new Error('it has a tag with too many attributes');
    });
    parser.on('opentag', ({ name, attributes }) => this.#open(name, attributes));
    parser.on('text', (text) => this.#add(text));
    parser.on('closetag', () => this.#close());
  }

  #open(name: string, attributes: Record<string, string>): void {
    this.#attributes = 0;
    this.#text = '';
    if (this.#path.push(name) > MAX_DEPTH) throw new Error('it has tags within tags, as no block map has');
    if (this.#path.length === 1) this.#root(name, attributes.version ?? '1.0');
    this.#checksum = attributes.chksum ?? attributes.sha1 ?? null;
    if (attributes.sha1 !== undefined) this.hasSha1 = true;
  }

  #root(name: string, version: string): void {
    if (name !== 'bmap') throw new Error(`it is no block map: it begins with ${short(name)}`);
    if (!(Number(version.split('.')[0]) <= NEWEST_MAJOR))
      throw new Error(`it has version ${short(version)} of the format, and up to ${NEWEST_MAJOR} is known here`);
    this.isBmap = true;
  }

  #add(text: string): void {
    const words = text.trim();
    if (this.#path.length < 2 || words === '') return;
    this.#text += words;
    if (this.#text.length > MAX_TEXT_CHARS) throw new Error(`it has more than a number or a name in ${short(this.#path.at(-1) ?? '')}`);
  }

  #close(): void {
    const path = this.#path.join('/');
    const name = this.#path.pop() ?? '';
    const text = this.#text;
    if (path === 'bmap/BlockMap/Range') this.ranges.push(rangeOf(text, this.#checksum));
    else if (this.#path.length === 1 && name !== 'BlockMap') this.fields.set(name, text);
    this.#text = '';
  }
}

function rangeOf(text: string, checksum: string | null): Bmap['ranges'][number] {
  const [, first, last = first] = /^(\d{1,15})(?:-(\d{1,15}))?$/.exec(text) ?? [];
  if (first === undefined || last === undefined) throw new Error(`it has a range ${short(text)}`);
  if (checksum !== null && !/^[0-9a-fA-F]{1,128}$/.test(checksum)) throw new Error(`it has a checksum ${short(checksum)}`);
  return { first: Number(first), last: Number(last), checksum: checksum?.toLowerCase() ?? null };
}

function whole(fields: ReadonlyMap<string, string>, name: string): number {
  const text = fields.get(name) ?? '';
  const number = /^\d{1,16}$/.test(text) ? Number(text) : NaN;
  if (!Number.isSafeInteger(number) || number < 1) throw new Error(`it has no ${name}`);
  return number;
}

/** Ranges ascend, do not overlap, lie within the image, and are as many blocks as it says. */
function refuseUnfit(ranges: Bmap['ranges'], sizeBytes: number, blockBytes: number, counted: string | undefined): void {
  if (ranges.length === 0) throw new Error('it has no ranges');
  let [before, mapped] = [-1, 0];
  for (const { first, last } of ranges) {
    if (first > last || first <= before || last * blockBytes >= sizeBytes)
      throw new Error(`it has a range ${first === last ? `"${first}"` : `"${first}-${last}"`}`);
    before = last;
    mapped += last - first + 1;
  }
  if (counted !== undefined && Number(counted) !== mapped)
    throw new Error(`it says that ${printable(counted.slice(0, 40))} blocks are mapped, and its ranges have ${mapped}`);
}

/** A bmap has a checksum of itself, taken with zeros in its place. */
function refuseDamaged(bytes: Buffer, checksum: string | undefined, checksumType: string | null): void {
  const hashName = hashOf(checksumType ?? 'sha1');
  if (checksum === undefined || hashName === undefined) return;
  const at = bytes.indexOf(checksum);
  const hash = createHash(hashName)
    .update(bytes.subarray(0, at))
    .update('0'.repeat(checksum.length))
    .update(bytes.subarray(at + checksum.length));
  if (at < 0 || checksum === '' || hash.digest('hex') !== checksum.toLowerCase())
    throw new Error(`its own ${hashName} is wrong: it is damaged, or was edited`);
}

function short(text: string): string {
  return JSON.stringify(printable(text.slice(0, 40)));
}
