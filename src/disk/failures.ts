import { failures } from '../util/failures.js';

/** What can fail on a disk, wherever it is. */
export const fail = failures('Disks', {
  'slice-missing': {
    blame: 'site',
    cure: 'person',
    meaning: 'The disk or image has no partition of that number.',
    todo: 'Name one of its partitions, or take the whole disk.',
  },
  'file-system-missing': {
    blame: 'site',
    cure: 'person',
    meaning: 'The file system that was asked for is not there.',
    todo: 'Name the partition that holds it rather than the disk.',
  },
  'partition-type-unknown': {
    blame: 'site',
    cure: 'person',
    meaning: 'A partition cannot be given that type.',
    todo: 'Give a type that its partition table knows, such as 0x83 (MBR) or 0x8300 (GPT).',
  },
  'source-not-seekable': {
    blame: 'site',
    cure: 'person',
    meaning: 'A pipe was given where a disk must be looked into.',
    todo: 'Give the path of the disk, or save it raw.',
  },
  'source-read-failed': {
    blame: 'node',
    cure: 'person',
    meaning: 'The disk or file that is to be read cannot be opened, cannot be read, or ends early.',
    todo: 'Look whether it is there and may be read, and in the kernel log whether the disk is sound.',
  },
  'disk-busy': {
    blame: 'site',
    cure: 'person',
    meaning: 'The disk that is to be written is mounted, is swap, or is part of another device.',
    todo: 'Unmount it first.',
  },
  'disk-open-failed': {
    blame: 'site',
    cure: 'person',
    meaning: 'The disk or file that is to be written cannot be opened.',
    todo: 'Look whether it is there, and may be written by you.',
  },
  'disk-read-failed': {
    blame: 'node',
    cure: 'person',
    meaning: 'A disk cannot be read at some place.',
    todo: 'Look in the kernel log whether the disk is sound.',
  },
  'disk-write-failed': {
    blame: 'node',
    cure: 'person',
    meaning: 'A disk or file cannot be written at some place.',
    todo: 'Look in the kernel log whether the disk is sound, and whether there is room.',
  },
  'disk-too-small': {
    blame: 'node',
    cure: 'person',
    meaning: 'The disk is smaller than the image.',
    todo: 'Use a larger disk, or shrink the file system and save it again.',
  },
});
