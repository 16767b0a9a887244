import { existsSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { SYSTEM_RUNS_DIR } from '../../../config/runs-dir.js';
import { formatBytes } from '../../../monitor/format.js';
import { runNames } from '../../../runs/store.js';
import { counted, ok, problem, warning, type Check, type ConfiguredGateway } from '../finding.js';
import { ownership, statOrNull, whyNotWritable } from '../files.js';

const LITTLE_BYTES = 100 * 1_048_576;

/** Where journals and logs go, and when each node was last reset: imaging-wait cannot tell old systems from new without. */
export const runsFolder = {
  name: 'runs',
  needs: 'configuration',
  run: async (gateway) => {
    const { stateDir } = gateway;
    const there = nearestExisting(stateDir);
    const why = await whyNotWritable(there);
    if (why !== null) return [await unwritable(gateway, there, why)];
    const { bavail, bsize } = await statfs(there);
    const free = bavail * bsize;
    if (free < LITTLE_BYTES)
      return [
        warning(
          `${stateDir}: only ${formatBytes(free)} free`,
          'runs go on without logs when it is full',
          'set runs.keep or runs.keep_days lower, or runs.dir elsewhere',
        ),
      ];
    if (there !== stateDir) return [ok(`${stateDir}: will be made by the first run`)];
    const others = stateDir === SYSTEM_RUNS_DIR || gateway.config.runs.dir !== null ? '' : `, of ${gateway.host.login()} alone`;
    return [ok(`${stateDir}: ${counted(runNames(stateDir).length, 'run')}${others}, ${formatBytes(free)} free`)];
  },
} satisfies Check;

async function unwritable({ host, config, stateDir }: ConfiguredGateway, there: string, why: string) {
  const info = await statOrNull(there);
  return problem(
    `${host.login()} may not write in ${there} (${why}${info ? `; ${ownership(info)}` : ''})`,
    `what runs do is to be kept in ${stateDir}, and when nodes were reset: loads fail without`,
    ...(config.runs.dir === null
      ? [`set HOME to a folder that ${host.login()} may write, or runs.dir`]
      : [
          `as root: mkdir -p ${stateDir} && chgrp imaging ${stateDir} && chmod 3775 ${stateDir}`,
          'or leave runs.dir empty: then each user has a folder of their own',
        ]),
  );
}

function nearestExisting(path: string): string {
  return existsSync(path) || dirname(path) === path ? path : nearestExisting(dirname(path));
}
