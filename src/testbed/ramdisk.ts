/** The name the ramdisk's kernel gives the node's only disk, and its first partition. */
export const DISK_DEVICE = '/dev/sda';
export const ROOT_PARTITION = '/dev/sda1';
/**
 * Where a session can mount it. The shell of a ramdisk sees the files of the machine that the testbed runs on; this name
 * leads each session to a folder of its own, and into nobody else's /mnt.
 */
export const MOUNT_POINT = '/proc/self/cwd/mnt';
