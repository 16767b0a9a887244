import { commandSpec } from '../kit/command.js';

export const imageSpec = commandSpec({
  name: 'image',
  summary: 'work on image files: make, write, describe, check and compare them',
  exits: {
    ok: 'done, and for info, verify and diff: nothing is wrong or differs',
    failed: 'info, verify: the image is damaged, or not what the disk holds; diff: they differ',
    ended: 'zip leaves no image; what unzip was writing is not whole',
  },
  words: 'zip SOURCE IMAGE | unzip IMAGE TARGET | info IMAGE | verify IMAGE [DEVICE] | diff A B',
  completes: {
    actions: {
      zip: ['files'],
      unzip: ['images', 'files'],
      info: ['images', 'files'],
      verify: ['images', 'files'],
      diff: ['images', 'files'],
    },
  },
  options: {
    level: { type: 'number', alias: 'z', value: 'LEVEL', integer: true, min: 0, max: 9, describe: 'zip: compression, 0 to 9 (default 4)' },
    slice: { type: 'number', alias: 's', value: 'N', integer: true, min: 1, describe: 'zip, unzip, verify: only partition N of the disk' },
    raw: { type: 'boolean', alias: 'r', describe: 'zip: save every sector, look into no file system' },
    uuid: {
      type: 'string',
      value: 'UUID',
      format: { allowed: '32 hex digits', parse: uuidHex },
      describe: 'zip: the identity of the image, 32 hex digits (default: random)',
    },
    zero: { type: 'boolean', describe: 'unzip: make free space zeros, to the end of the disk' },
    'keep-end': {
      type: 'boolean',
      describe: "unzip: leave the last MiB of a larger disk as it is, where an older system's RAID or GPT copy may be",
    },
    force: { type: 'boolean', alias: 'f', describe: 'zip, unzip: replace a file that exists; unzip: write to a disk that is in use' },
    sample: {
      type: 'number',
      value: 'N',
      integer: true,
      min: 0,
      describe: 'verify: compare the first region, the last, and N others taken at random',
    },
    full: { type: 'boolean', describe: 'verify: compare every region (the default)' },
    workers: {
      type: 'number',
      value: 'N',
      integer: true,
      min: 1,
      max: 256,
      describe: 'how many threads work (default: one per processor)',
    },
    json: { type: 'boolean', describe: 'the result as JSON' },
    quiet: { type: 'boolean', alias: 'q', describe: 'no progress' },
  },
  examples: [
    ['imaging-image zip /dev/sdb mine.ndz', 'an image of a disk: what is in use, and mine.ndz.sha256'],
    ['imaging-image unzip mine.ndz /dev/sdb', 'and back; refuses a disk that is mounted'],
    ['imaging-image verify mine.ndz /dev/sdb', 'is it really there? exits 1 when not'],
    ['imaging-image diff old.ndz new.ndz', 'what has changed, by partition; exits 1 when anything has'],
  ],
});

function uuidHex(text: string): string | undefined {
  const hex = text.replaceAll('-', '');
  return /^[0-9a-fA-F]{32}$/.test(hex) ? hex : undefined;
}
