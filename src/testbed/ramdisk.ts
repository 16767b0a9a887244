/** The name the ramdisk's kernel gives the node's only disk. */
export const DISK_DEVICE = '/dev/sda';
