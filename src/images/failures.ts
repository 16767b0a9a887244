import { failures } from '../util/failures.js';

/** What can fail with the images of the gateway. */
export const fail = failures('Images on the gateway', {
  'image-unknown': {
    blame: 'site',
    cure: 'person',
    meaning: 'The file is no image that is known here.',
    todo: 'Look whether it is the right file, and whether its download is complete.',
  },
  'image-damaged': {
    blame: 'site',
    cure: 'person',
    meaning: 'A compressed image cannot be unpacked.',
    todo: 'Copy it again from where it came from.',
  },
  'image-changed': {
    blame: 'site',
    cure: 'again',
    meaning: 'The image changed while it was converted.',
    todo: 'Wait until it is copied, and try again.',
  },
  'bmap-unreadable': {
    blame: 'site',
    cure: 'person',
    meaning: 'The .bmap beside an image cannot be read.',
    todo: 'Copy it again, or remove it to load the image without it.',
  },
  'bmap-mismatch': {
    blame: 'site',
    cure: 'person',
    meaning: 'The image is not what its .bmap describes.',
    todo: 'Copy both again from where they came from.',
  },
  'checksum-unreadable': {
    blame: 'site',
    cure: 'person',
    meaning: 'The .sha256 beside an image cannot be read, or has no checksum of it.',
    todo: 'Make it anew: sha256sum IMAGE > IMAGE.sha256.',
  },
  'provenance-unreadable': {
    blame: 'site',
    cure: 'person',
    meaning: 'The file beside an image does not say where the image comes from.',
    todo: 'Remove it when it is not from imaging-save.',
  },
  'cache-unusable': {
    blame: 'site',
    cure: 'person',
    meaning: 'The folder for converted images cannot be used, or others could replace what lies there.',
    todo: 'Do what the hint says, or set runs.dir to a folder of your own.',
  },
  'no-room': {
    blame: 'site',
    cure: 'person',
    meaning: 'There is no room to convert the image.',
    todo: 'Free some space in the folder that the message names.',
  },
  'program-missing': {
    blame: 'site',
    cure: 'person',
    meaning: 'The gateway has no program to unpack this kind of image.',
    todo: 'Install the program that the hint names.',
  },
  'share-failed': {
    blame: 'site',
    cure: 'person',
    meaning: 'An image cannot be moved to where others find it.',
    todo: 'Look whether you may write there, and whether there is room.',
  },
});
