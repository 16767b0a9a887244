import { isAbsolute } from 'node:path';
import { SYSTEM_FILE } from '../../../config/layers.js';
import { ok, warning, type Check, type Finding } from '../finding.js';
import { nameOf, ownership, statOrNull, whyNotWritable } from '../files.js';

/** Who we are, what we may do, and whether others could change what commands go by. */
export const rights = {
  name: 'rights',
  needs: 'configuration',
  run: async ({ config, host, stateDir }) => {
    const groups = (process.getgroups?.() ?? []).map((gid) => nameOf('/etc/group', gid));
    const may = async (folder: string): Promise<string> => ((await whyNotWritable(folder)) === null ? 'yes' : 'no');
    const abilities = [
      `next-boot links: ${await may(config.pxelinux.configDir)}`,
      `save into ${config.frisbee.imagesDir}: ${host.uid() === 0 ? await may(config.frisbee.imagesDir) : 'no (saves go into the current folder)'}`,
      `logs in ${stateDir}: ${(await statOrNull(stateDir)) ? await may(stateDir) : 'to be made'}`,
      `sweep what others left: ${host.uid() === 0 ? 'yes' : 'only where the folder lets you'}`,
    ];
    const open = await openToAll([SYSTEM_FILE, config.testbed.inventoryPath, config.frisbee.imagesDir, config.frisbee.server]);
    return open.length > 0 ? open : [ok(`${host.login()} (uid ${host.uid()}; ${groups.join(' ')}); ${abilities.join('; ')}`)];
  },
} satisfies Check;

/** What everybody may write although commands, root's too, go by it. Sticky folders are as safe as /tmp. */
async function openToAll(paths: readonly string[]): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const path of paths.filter(isAbsolute)) {
    const info = await statOrNull(path);
    if (!info || (info.mode & 0o002) === 0 || (info.isDirectory() && (info.mode & 0o1000) !== 0)) continue;
    findings.push(
      warning(
        `everybody may change ${path} (${ownership(info)})`,
        "who can change it decides what your loads do, root's as well",
        `chmod o-w ${path}`,
      ),
    );
  }
  return findings;
}
