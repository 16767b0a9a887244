import { loadConfig } from '../../config/read-config.js';
import { runsDir } from '../../config/runs-dir.js';
import { listImages } from '../../images/find.js';
import { loadInventory } from '../../inventory/read-inventory.js';
import { newestRuns } from '../../runs/store.js';
import type { Host } from '../../util/host.js';
import { namesOf } from '../../app/site.js';

/** Kinds of names that are looked up when the person presses TAB. */
export type LookedUp = 'nodes' | 'images' | 'runs';

const RUNS_SHOWN = 20;

/** The names there are now. Throws what loading configuration, inventory or images throws; the shells then show nothing. */
export async function namesNow(kind: LookedUp, host: Host): Promise<string[]> {
  const { config } = await loadConfig(host);
  if (kind === 'images')
    return (await listImages(config.frisbee.imagesDir))
      .filter(({ brokenLinkTo }) => brokenLinkTo === null)
      .flatMap(({ name, aliases }) => [name, ...aliases]);
  if (kind === 'runs') {
    const runs = newestRuns(await runsDir(config.runs.dir, host), RUNS_SHOWN);
    const commands = [...new Set(runs.map(({ plan }) => plan.command))];
    return [...(runs.length > 0 ? ['last'] : []), ...commands.map((command) => `last-${command}`), ...runs.map(({ run }) => run)];
  }
  const inventory = await loadInventory(config.testbed.inventoryPath, namesOf(config));
  const sets = [...config.groups.keys(), 'failed:last', 'ok:last', 'skipped:last', 'all:last'];
  return [...inventory.nodes.map(({ name }) => name), ...sets.map((name) => `@${name}`)];
}
