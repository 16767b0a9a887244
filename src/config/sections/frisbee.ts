import { boolean, choice, decimal, localProgram, nodePath, path, program, text, unlessNone, words } from '../kinds.js';
import { section } from '../section.js';

/** Images, and the programs that send, write and read them. */
// biome-ignore format: a table, a key a line
export const frisbee = section('frisbee', {
  engine: { key: 'engine', kind: choice('embedded', 'frisbeed'), default: 'embedded', status: 'new', meaning: 'what sends images: the server inside imaging, or the program that frisbee.server names' },
  server: { key: 'server', kind: localProgram, default: 'frisbeed', status: 'kept', meaning: 'the server program on the gateway, for engine = frisbeed' },
  serverOptions: { key: 'server_options', kind: words, default: '-K 3', status: 'kept', meaning: "the server program's options, for engine = frisbeed" },
  client: { key: 'client', kind: program, default: 'frisbee', status: 'kept', meaning: 'the receiving program in the ramdisk' },
  imagezip: { key: 'imagezip', kind: program, default: 'imagezip', status: 'kept', meaning: 'the program in the ramdisk that makes an image of the disk' },
  netcat: { key: 'netcat', kind: program, default: 'nc', status: 'kept', meaning: 'the program in the ramdisk that sends an image to the gateway' },
  hardDrive: { key: 'hard_drive', perNode: true, kind: nodePath, default: '/dev/sda', status: 'kept', meaning: 'the disk of the nodes' },
  /** Null: nodes get no stamp. */
  rootPartition: { key: 'root_partition', kind: unlessNone(nodePath), default: '/dev/sda1', status: 'new', meaning: 'the partition of the nodes whose etc/imaging-image imaging-save writes a line to; none: nothing is written on nodes' },
  mountPoint: { key: 'mount_point', kind: nodePath, default: '/mnt', status: 'new', meaning: 'the folder of the ramdisk where root_partition is mounted for that' },
  imagesDir: { key: 'images_dir', kind: path, default: '/var/lib/imaging', status: 'kept', meaning: 'the folder of images on the gateway' },
  defaultImage: { key: 'default_image', kind: text, default: 'default.ndz', status: 'kept', meaning: 'the image that is loaded without -i: a name in images_dir, or a path' },
  verify: { key: 'verify', kind: choice('sample', 'full', 'none'), default: 'sample', status: 'new', meaning: 'how much of what a load wrote is read back on the node: the first region, the last and 64 ranges at random places; everything; nothing; --verify overrides' },
  /** Decimal. */
  largestDiskGb: { key: 'largest_disk', kind: decimal(0.001, 2200, 'GB'), default: '2200', unit: 'GB', status: 'new', meaning: 'size of the largest disk of the nodes: an image that is no .ndz, and of a larger disk, is not converted' },
  clearEnd: { key: 'clear_end', kind: boolean, default: 'yes', status: 'new', meaning: "whether a load clears the last MiB of a node's disk as far as it lies behind the image, so that no RAID, ZFS or copy of a GPT of an older system is found there" },
});
