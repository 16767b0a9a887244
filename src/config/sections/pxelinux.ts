import { path, text } from '../kinds.js';
import { section } from '../section.js';

/** How nodes are told to boot the ramdisk. */
// biome-ignore format: a table, a key a line
export const pxelinux = section('pxelinux', {
  configDir: { key: 'config_dir', kind: path, default: '/tftpboot/pxelinux.cfg/', status: 'kept', meaning: 'the TFTP folder where next-boot links are made' },
  frisbeeImage: { key: 'frisbee_image', kind: text, default: 'pxefrisbee', status: 'kept', meaning: 'what a next-boot link points at: the boot configuration of the ramdisk, in config_dir' },
});
