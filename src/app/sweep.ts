import type { Config } from '../config/config.js';
import { createLinks } from '../pxe/links.js';
import { childRecords } from '../runs/children.js';
import { messageOf } from '../util/errors.js';
import type { Host } from '../util/host.js';
import type { WorkflowTools } from './node-workflow.js';
import type { Site } from './site.js';

/** A phrase for each thing that was taken away, and for each that could not be. */
export type Swept = { removed: string[]; problems: string[] };

/** Takes away what killed runs left: next-boot links, server programs. Never rejects for what cannot be done. */
export async function sweep({ config, stateDir }: { config: Config; stateDir: string }, host: Host): Promise<Swept> {
  const swept: Swept = { removed: [], problems: [] };
  const { configDir, frisbeeImage } = config.pxelinux;
  try {
    const links = createLinks({ configDir, target: frisbeeImage, host });
    swept.removed.push(...(await links.sweep()).map((what) => `removed ${what}`));
  } catch (error) {
    swept.problems.push(`next-boot links of killed runs, if any, were not removed: ${messageOf(error)}`);
  }
  const { ended, problems } = await childRecords(stateDir, host).sweep();
  swept.removed.push(...ended.map((pid) => `ended frisbeed (pid ${pid})`));
  swept.problems.push(...problems);
  return swept;
}

/** Every command that boots nodes or waits for them sweeps first, since a link that is left would boot its node into the PXE system. */
export async function sweepLeftovers(site: Site, tools: Pick<WorkflowTools, 'host' | 'emit'>): Promise<void> {
  const { removed, problems } = await sweep(site, tools.host);
  for (const what of removed) tools.emit({ type: 'run.note', text: `${what}, left behind by a run that is gone` });
  for (const text of problems) tools.emit({ type: 'run.warning', text });
}
