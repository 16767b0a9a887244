import { findLeftovers } from '../../../pxe/leftovers.js';
import { childRecords } from '../../../runs/children.js';
import { counted, ok, skipped, warning, type Check, type Finding } from '../finding.js';
import { statOrNull } from '../files.js';

const SHOWN = 5;

/** What killed runs left behind, and next-boot links that no run of ours has made. */
export const leftovers = {
  name: 'leftovers',
  needs: 'configuration',
  run: async ({ config, stateDir, host }) => {
    const { configDir, frisbeeImage } = config.pxelinux;
    if (!(await statOrNull(configDir))?.isDirectory()) return [skipped(`there is no folder ${configDir}`)];
    const { dead, foreign } = await findLeftovers(configDir, frisbeeImage, host);
    const orphans = await childRecords(stateDir, host).orphans();
    const left = [...dead, ...orphans.map((pid) => `server program, pid ${pid}`)];
    const findings: Finding[] = [];
    if (left.length > 0) {
      findings.push(
        warning(
          `${counted(left.length, 'thing')} of runs that were killed: ${listed(left)}`,
          'a node whose link stands boots the PXE system instead of its disk',
          'imaging-sweep; the systemd timer imaging-sweep.timer does that every few minutes',
        ),
      );
    }
    if (foreign.length > 0) {
      findings.push(
        warning(
          `next-boot links to ${frisbeeImage} that no run of imaging has made: ${listed(foreign)}`,
          'these nodes boot the PXE system at each boot',
          `when nobody wants that: rm ${configDir}/01-...`,
        ),
      );
    }
    return findings.length > 0 ? findings : [ok('nothing is left of killed runs')];
  },
} satisfies Check;

function listed(names: readonly string[]): string {
  return names.length <= SHOWN ? names.join('; ') : `${names.slice(0, SHOWN).join('; ')}; and ${names.length - SHOWN} more`;
}
