/** Everything here counts in sectors of this size, whatever the disk's own is; so does the image format. */
export const SECTOR_BYTES = 512;
/** Sector numbers are 32 bits wide, in partition tables of old and in images: nothing beyond 2 TiB can be described. */
export const MAX_SECTORS = 0xffff_ffff;
/** Free runs shorter than this are saved with the rest: a region costs more than it spares (as the 2015 imagezip does). */
export const MIN_SKIP_SECTORS = 64;
/** Where RAIDs, ZFS and the copy of a GPT have what tells them: in the last MiB of a disk. */
export const DISK_END_BYTES = 1024 * 1024;

/** Sectors to save: from `startSector` up to, not including, `endSector`. Lists of them ascend and do not touch. */
export type SectorRange = { startSector: number; endSector: number };
