/** The name the ramdisk's kernel gives the node's only disk, and its first partition. */
export const DISK_DEVICE = '/dev/sda';
export const ROOT_PARTITION = '/dev/sda1';
/**
 * The shell of a ramdisk sees the files of the machine that the testbed runs on; behind this name each session finds a folder
 * of its own, and what it mounts there.
 */
export const SESSION_ROOT = '/proc/self/cwd';
/** Where sessions mount the disk unless told otherwise: it is there from the start. */
export const MOUNT_POINT = '/mnt';
