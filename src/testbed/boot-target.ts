import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { systemCode } from '../util/errors.js';
import { nextBootName } from './addresses.js';
import type { BootTarget } from './node-machine.js';

/** A boot configuration that hands over to the hard disk: pxelinux's LOCALBOOT, or its chain loader. */
const BOOTS_DISK = /^\s*(localboot\b|.*\bchain\.c32\b)/im;

/**
 * What a node boots, decided as pxelinux does: the file named after its MAC, else `default`; a link that leads nowhere is no
 * file for a TFTP server. A configuration that is found and does not chain to the disk is the ramdisk's.
 */
export function findBootTarget(pxeFolder: string, mac: string, diskHoldsSystem: () => boolean): BootTarget {
  const text = readText(join(pxeFolder, nextBootName(mac))) ?? readText(join(pxeFolder, 'default'));
  if (text !== null && !BOOTS_DISK.test(text)) return 'ramdisk';
  return diskHoldsSystem() ? 'os' : 'nothing';
}

function readText(path: string): string | null {
  try {
    return readFileSync(path, 'latin1');
  } catch (error) {
    if (['ENOENT', 'ELOOP', 'EACCES', 'EISDIR', 'ENOTDIR'].includes(systemCode(error) ?? '')) return null;
    throw error;
  }
}
