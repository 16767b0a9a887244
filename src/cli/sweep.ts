import { createLinks } from '../pxe/links.js';
import { childRecords } from '../runs/children.js';
import { messageOf } from '../util/errors.js';
import type { CommandContext } from './command.js';
import type { WorkflowTools } from './node-workflow.js';
import type { Site } from './site.js';

/**
 * Takes away what killed runs left: next-boot links, server programs. Every command that boots nodes or waits for them
 * does so first, since a link that is left would boot its node into the PXE system. What cannot be done is a warning.
 */
export async function sweepLeftovers(site: Site, context: CommandContext, tools: WorkflowTools): Promise<void> {
  const { configDir, frisbeeImage } = site.config.pxelinux;
  try {
    const links = createLinks({ configDir, target: frisbeeImage, host: context.host });
    for (const swept of await links.sweep()) tools.emit({ type: 'run.note', text: `removed ${swept}, left behind by a run that is gone` });
  } catch (error) {
    tools.emit({ type: 'run.warning', text: `next-boot links of killed runs, if any, were not removed: ${messageOf(error)}` });
  }
  const { ended, problems } = await childRecords(site.stateDir, context.host).sweep();
  for (const pid of ended) tools.emit({ type: 'run.note', text: `ended frisbeed (pid ${pid}), left behind by a run that is gone` });
  for (const problem of problems) tools.emit({ type: 'run.warning', text: problem });
}
