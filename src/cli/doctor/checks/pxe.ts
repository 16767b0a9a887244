import { constants } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { checkTarget } from '../../../pxe/check-folder.js';
import { messageOf } from '../../../util/errors.js';
import { bootFiles } from '../boot-config.js';
import { ok, problem, skipped, warning, type Check, type Finding } from '../finding.js';
import { ownership, statOrNull, whyNot, whyNotWritable } from '../files.js';

/** pxelinux reads its configurations into memory; one of this size is an image that was put in their place. */
const MAX_CONFIG_BYTES = 1 << 20;
const IN_VAIN = 'nodes that are told to boot the PXE system would boot something else, or nothing: every load and save fails at boot';

/** The folder where next-boot links go. */
export const tftpFolder = {
  name: 'tftp-folder',
  needs: 'configuration',
  run: async ({ config, host }) => {
    const { configDir } = config.pxelinux;
    const info = await statOrNull(configDir);
    if (!info?.isDirectory())
      return [
        problem(
          `pxelinux.config_dir: there is no folder ${configDir}`,
          'next-boot links go there',
          'set config_dir in section [pxelinux] to the pxelinux.cfg folder of the TFTP server (its root, --tftp-root or TFTP_DIRECTORY, is the folder above)',
        ),
      ];
    const why = await whyNotWritable(configDir);
    if (why !== null) return [unwritable(configDir, why, ownership(info), host.login())];
    const everybody = (info.mode & 0o002) !== 0 && (info.mode & 0o1000) === 0;
    if (everybody)
      return [
        warning(
          `everybody may write in ${configDir}, and remove what others have put there (${ownership(info)})`,
          "a user can take away the links of another's load",
          `chmod +t ${configDir}; better: chgrp imaging ${configDir} && chmod 3775 ${configDir}`,
        ),
      ];
    if ((info.mode & 0o005) !== 0o005)
      return [
        warning(
          `${configDir} is closed to other users (${ownership(info)})`,
          'the TFTP server mostly runs as a user of its own, and has to read it',
          `chmod o+rx ${configDir}, unless the TFTP server is of its group`,
        ),
      ];
    return [ok(`${configDir}: may be written (${ownership(info)})`)];
  },
} satisfies Check;

function unwritable(folder: string, why: string, owner: string, login: string): Finding {
  const cause = 'a load or save makes a link there for each node before it resets it';
  if (why === 'EROFS')
    return problem(
      `${login} may not write in ${folder}: the file system is read-only`,
      cause,
      `mount -o remount,rw the file system of ${folder}; dmesg says whether it went read-only by itself`,
    );
  return problem(
    `${login} may not write in ${folder} (${why}; ${owner})`,
    cause,
    'as root, once: groupadd --system imaging',
    `chgrp imaging ${folder} && chmod 3775 ${folder}`,
    `usermod -aG imaging ${login}, then log in anew; -n works without, on nodes that run the PXE system already`,
  );
}

/** What the links point to, and what that names in turn. */
export const ramdisk = {
  name: 'pxefrisbee',
  needs: 'configuration',
  run: async ({ config }) => {
    const { configDir, frisbeeImage } = config.pxelinux;
    const path = join(configDir, frisbeeImage);
    const missing = await checkTarget(configDir, frisbeeImage);
    if (missing !== null) {
      return [
        problem(
          missing,
          IN_VAIN,
          `put the boot configuration of the PXE system there: KERNEL and initrd of a Linux with telnetd and a frisbee client`,
          'or set frisbee_image in section [pxelinux] to its name',
        ),
      ];
    }
    const read = await readConfig(path);
    if ('finding' in read) return [read.finding];
    const files = bootFiles(read.text);
    if (files === null)
      return [
        problem(
          `${path} is no boot configuration of pxelinux: it has no KERNEL line`,
          IN_VAIN,
          'write one: DEFAULT frisbee / LABEL frisbee / KERNEL vmlinuz-frisbee / APPEND initrd=initrd-frisbee.img',
        ),
      ];
    const named = [...files.kernels, ...files.initrds];
    const root = dirname(resolve(configDir));
    const findings = (await Promise.all(named.map((file) => fileFinding(path, root, file)))).filter((finding) => finding !== null);
    return findings.length > 0 ? findings : [ok(`${path} -> ${named.join(', ')}`)];
  },
} satisfies Check;

async function readConfig(path: string): Promise<{ text: string } | { finding: Finding }> {
  const info = await statOrNull(path);
  if (info === null) return { finding: skipped(`${path} is not ours to read; the TFTP server has to`) };
  if (!info.isFile() || info.size > MAX_CONFIG_BYTES) {
    const what = info.isFile() ? `${info.size} bytes long` : 'no file';
    return {
      finding: problem(
        `${path} is ${what}: no boot configuration of pxelinux`,
        IN_VAIN,
        'put the image itself into the TFTP root, and here a text that names it: KERNEL ..., APPEND initrd=...',
      ),
    };
  }
  if ((info.mode & 0o004) === 0)
    return {
      finding: warning(
        `other users may not read ${path} (${ownership(info)})`,
        'the TFTP server mostly runs as a user of its own',
        `chmod o+r ${path}`,
      ),
    };
  try {
    return { text: await readFile(path, 'utf8') };
  } catch (error) {
    return { finding: skipped(`${path} is not ours to read: ${messageOf(error)}`) };
  }
}

/** What is wrong with a file that the boot configuration names; null when nothing is, or it comes from elsewhere. */
async function fileFinding(config: string, root: string, file: string): Promise<Finding | null> {
  if (/^[a-z]+:\/\/|^[\d.]*::/i.test(file)) return null; // over HTTP, or from another TFTP server
  const path = join(root, file);
  const why = await whyNot(path, constants.F_OK);
  if (why === 'EACCES') return null;
  if (why !== null)
    return problem(
      `${config} names ${file}, and there is no ${path}`,
      'nodes stop at "Could not find kernel image" or without their root',
      `copy it to ${path}, or correct ${config}`,
    );
  const info = await statOrNull(path);
  if (info?.isFile() && info.size === 0) return problem(`${path} is empty`, 'an unfinished copy?', 'copy it again');
  if (info && (info.mode & 0o004) === 0)
    return warning(
      `other users may not read ${path} (${ownership(info)})`,
      'the TFTP server mostly runs as a user of its own',
      `chmod o+r ${path}`,
    );
  return null;
}
