import type { Program } from './program.js';

/** What of /proc a ramdisk shows for itself; the machine the testbed runs on has other things there. */
export const MOUNTS = 'rootfs / rootfs rw 0 0';

/** `cat` in a ramdisk that has no other files to show. */
export function procCat(uptimeSeconds: () => number): Program {
  return async (args, { stdout, stderr }) => {
    let status = 0;
    for (const path of args) {
      const seconds = uptimeSeconds().toFixed(2);
      if (path === '/proc/uptime') stdout.write(`${seconds} ${seconds}\n`);
      else if (path === '/proc/mounts') stdout.write(`${MOUNTS}\n`);
      else {
        stderr.write(`cat: can't open '${path}': No such file or directory\n`);
        status = 1;
      }
    }
    return status;
  };
}
