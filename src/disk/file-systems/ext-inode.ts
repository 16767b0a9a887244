import type { ExtBlocks } from './ext-blocks.js';
import { readDescriptor } from './ext-descriptor.js';
import type { ExtSuper } from './ext-super.js';
import { Inconsistent } from '../volume.js';

const EXTENTS_FLAG = 0x8_0000;
const EXTENT_MAGIC = 0xf30a;
const MAX_DEPTH = 5;
/** A tree that refers to itself would have no end. */
const MAX_NODES = 4096;
/** Enough for the longest journal in the smallest pieces that one has. */
const MAX_PIECES = 1 << 16;
const MAX_MAPPED = 1 << 22;
const DIRECT = 12;

/** `count` blocks of a file, from its block `first` on, lie at `place`. */
type Piece = { first: number; count: number; place: number };

/** Where the blocks of an inode's file lie. The result throws Inconsistent for one that lies nowhere. */
export async function blockMap(blocks: ExtBlocks, fileSystem: ExtSuper, inode: number): Promise<(fileBlock: number) => number> {
  const { inodesPerGroup, inodeBytes, blockBytes, groupCount } = fileSystem;
  const group = Math.floor((inode - 1) / inodesPerGroup);
  if (group >= groupCount) throw new Inconsistent(`it has no inode ${inode}`);
  const { inodeTable } = await readDescriptor(blocks, fileSystem, group);
  const offset = ((inode - 1) % inodesPerGroup) * inodeBytes;
  const bytes = await blocks.inPlace(inodeTable + Math.floor(offset / blockBytes), offset % blockBytes, 128);
  const root = bytes.subarray(0x28, 0x64);
  const pieces: Piece[] = [];
  if (bytes.readUInt32LE(0x20) & EXTENTS_FLAG) await addExtents(blocks, root, MAX_DEPTH, pieces, { left: MAX_NODES });
  else await addIndirect(blocks, root, pieces);
  return (fileBlock) => {
    let [low, high] = [0, pieces.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((pieces[middle]?.first ?? 0) <= fileBlock) low = middle + 1;
      else high = middle;
    }
    const piece = pieces[low - 1];
    if (!piece || fileBlock >= piece.first + piece.count) throw new Inconsistent(`block ${fileBlock} of its journal is nowhere`);
    return piece.place + fileBlock - piece.first;
  };
}

/** A node of the extent tree: a header, then extents, or the nodes below. */
async function addExtents(blocks: ExtBlocks, node: Buffer, depthLeft: number, pieces: Piece[], nodes: { left: number }): Promise<void> {
  const [magic, entries, depth] = [node.readUInt16LE(0), node.readUInt16LE(2), node.readUInt16LE(6)];
  if (magic !== EXTENT_MAGIC || depth > depthLeft || nodes.left-- === 0 || 12 + entries * 12 > node.byteLength)
    throw new Inconsistent('an extent tree in it is broken');
  for (let at = 12; at < 12 + entries * 12; at += 12) {
    if (depth === 0) {
      const length = node.readUInt16LE(at + 4);
      const place = node.readUInt32LE(at + 8) + node.readUInt16LE(at + 6) * 0x1_0000_0000;
      addPiece(pieces, { first: node.readUInt32LE(at), count: length > 32_768 ? length - 32_768 : length, place });
      continue;
    }
    const below = await blocks.inPlace(node.readUInt32LE(at + 4) + node.readUInt16LE(at + 8) * 0x1_0000_0000);
    await addExtents(blocks, below, depth - 1, pieces, nodes);
  }
}

/** The older way: twelve blocks, then trees of one, two and three levels. */
async function addIndirect(blocks: ExtBlocks, root: Buffer, pieces: Piece[]): Promise<void> {
  let fileBlock = 0;
  const addBlocks = (list: Buffer, count: number): void => {
    for (let at = 0; at < count * 4; at += 4) {
      const place = list.readUInt32LE(at);
      if (place !== 0) addPiece(pieces, { first: fileBlock, count: 1, place });
      fileBlock++;
    }
  };
  const addTree = async (place: number, level: number): Promise<void> => {
    if (place === 0 || fileBlock > MAX_MAPPED) return; // a journal has no holes: there is nothing behind
    const list = await blocks.inPlace(place);
    if (level === 1) return addBlocks(list, list.byteLength / 4);
    for (let at = 0; at < list.byteLength && list.readUInt32LE(at) !== 0; at += 4) await addTree(list.readUInt32LE(at), level - 1);
  };
  addBlocks(root, DIRECT);
  for (const level of [1, 2, 3]) await addTree(root.readUInt32LE((DIRECT + level - 1) * 4), level);
}

function addPiece(pieces: Piece[], piece: Piece): void {
  const last = pieces.at(-1);
  if (last && piece.first < last.first + last.count) throw new Inconsistent('an extent tree in it is broken');
  if (last && last.first + last.count === piece.first && last.place + last.count === piece.place) last.count += piece.count;
  else if (pieces.length < MAX_PIECES) pieces.push(piece);
  else throw new Inconsistent('its journal is in too many pieces');
}
