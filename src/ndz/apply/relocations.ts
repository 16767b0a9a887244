import type { ChunkHeader } from '../codec/format.js';
import { fail } from '../failures.js';

/** Relocations that add the place of the partition to addresses inside it, by number: of boot loaders and disk labels long gone. */
const POSITION_DEPENDENT: Readonly<Record<number, string>> = {
  1: 'FreeBSD disklabel',
  2: 'OpenBSD disklabel',
  3: 'LILO',
  4: 'LILO',
  5: 'LILO',
};

/** Throws Failure `ndz-relocation` when a chunk written into a partition would have to be changed to fit its new place. */
export function refuseRelocations({ index, relocations }: ChunkHeader): void {
  const found = relocations.find(({ type }) => POSITION_DEPENDENT[type] !== undefined);
  if (!found) return;
  throw fail(
    'ndz-relocation',
    `chunk ${index}: its ${POSITION_DEPENDENT[found.type]} has to be adapted to the partition (relocation type ${found.type}), which is not supported`,
    'load an image of the whole disk',
  );
}
