import type { Failure } from '../util/errors.js';
import { type CodeOf, failures } from '../util/failures.js';

/** What can fail with an image in the .ndz format. */
export const fail = failures('What is in an image', {
  // an image is the site's, unless somebody further up knows that a node has just made it
  'ndz-unreadable': {
    blame: 'site',
    cure: 'person',
    meaning: 'The image cannot be read.',
    todo: 'Look whether it is there, may be read by you, and its disk is sound.',
  },
  'ndz-empty': {
    blame: 'site',
    cure: 'person',
    meaning: 'The image has no chunks.',
    todo: 'The save that made it failed: save again.',
  },
  'ndz-truncated': {
    blame: 'site',
    cure: 'person',
    meaning: 'The image or a chunk of it is shorter than it says.',
    todo: 'Copy the image again.',
  },
  'ndz-cut': {
    blame: 'site',
    cure: 'person',
    meaning: 'The image ends before its disk does, as an unfinished copy or save would.',
    todo: 'Copy or save it again, or vouch for it as the hint says.',
  },
  'ndz-bad-magic': {
    blame: 'site',
    cure: 'person',
    meaning: 'The file does not begin as an .ndz image does.',
    todo: 'Look whether it is the right file.',
  },
  'ndz-bad-header': {
    blame: 'site',
    cure: 'person',
    meaning: 'The header of a chunk makes no sense.',
    todo: 'Copy the image again.',
  },
  'ndz-bad-stream': {
    blame: 'site',
    cure: 'person',
    meaning: 'The compressed data of a chunk is damaged.',
    todo: 'Copy the image again.',
  },
  'ndz-checksum': {
    blame: 'site',
    cure: 'person',
    meaning: 'A checksum does not match its content.',
    todo: 'Copy the image and its side file again from where they came from.',
  },
  'ndz-chunk-order': {
    blame: 'site',
    cure: 'person',
    meaning: 'The chunks do not follow each other as those of one image do.',
    todo: 'Look whether chunks are missing, or two images were joined.',
  },
  'ndz-duplicate-chunk': {
    blame: 'site',
    cure: 'person',
    meaning: 'A chunk is there twice.',
    todo: 'Copy the image again.',
  },
  'ndz-missing-chunk': {
    blame: 'site',
    cure: 'person',
    meaning: 'A chunk of the image never came.',
    todo: 'Look whether the image is complete.',
  },
  'ndz-uuid-mismatch': {
    blame: 'site',
    cure: 'person',
    meaning: 'Chunks of two images are mixed, or the image changed while it was read.',
    todo: 'Look whether something writes to it, or two images were joined.',
  },
  'ndz-foreign-image': {
    blame: 'site',
    cure: 'person',
    meaning: 'A chunk of another image came.',
    todo: 'Look whether another server uses the same group and port.',
  },
  'ndz-encrypted': {
    blame: 'site',
    cure: 'person',
    meaning: 'The image is encrypted, which is not supported.',
    todo: 'Decrypt it with the tool that made it.',
  },
  'ndz-relocation': {
    blame: 'site',
    cure: 'person',
    meaning: 'The image would have to be changed to fit another partition, which is not supported.',
    todo: 'Load an image of the whole disk.',
  },
  'ndz-half-written': {
    blame: 'site',
    cure: 'again',
    meaning: 'A damaged chunk was written in part, and then said that it belongs elsewhere.',
    todo: 'Write the whole disk again, and find who else sends in the session.',
  },
  'image-write-failed': {
    blame: 'site',
    cure: 'person',
    meaning: 'An image, or a file beside it, cannot be written.',
    todo: 'Look whether there is room, and whether you may write there.',
  },
  'source-empty': {
    blame: 'site',
    cure: 'person',
    meaning: 'There is nothing to save on the disk.',
    todo: 'Look whether it is the right disk.',
  },
  'source-too-large': {
    blame: 'site',
    cure: 'person',
    meaning: 'The disk or image is larger than the format allows, or than disks may be here.',
    todo: 'Look whether it is the right file, and at frisbee.largest_disk; save a smaller partition.',
  },
  'worker-crashed': {
    blame: 'site',
    cure: 'again',
    meaning: 'A thread that compresses, reads or writes ended.',
    todo: 'Look whether the machine ran out of memory, or use fewer workers.',
  },
});
export type NdzCode = CodeOf<typeof fail>;

const IMAGE_FAULTS: readonly NdzCode[] = [
  'ndz-empty',
  'ndz-truncated',
  'ndz-cut',
  'ndz-bad-magic',
  'ndz-bad-header',
  'ndz-bad-stream',
  'ndz-checksum',
  'ndz-chunk-order',
  'ndz-duplicate-chunk',
  'ndz-missing-chunk',
  'ndz-uuid-mismatch',
  'ndz-foreign-image',
  'ndz-encrypted',
  'ndz-relocation',
];

/** Whether something is wrong with what is in an image, not with reading or writing it. */
export function isImageFault(error: unknown): error is Failure {
  return fail.is(error, ...IMAGE_FAULTS);
}
