import { completionSpec } from './completion/completion.spec.js';
import { configSpec } from './config/config.spec.js';
import { doctorSpec } from './doctor/doctor.spec.js';
import { imageSpec } from './images/image.spec.js';
import { listSpec } from './images/list.spec.js';
import { resolveSpec } from './images/resolve.spec.js';
import { shareSpec } from './images/share.spec.js';
import { inventorySpec } from './inventory/inventory.spec.js';
import { onNodes, plain, program, type Command } from './kit/command.js';
import { leasesSpec } from './leases/leases.spec.js';
import { monitorSpec } from './monitor/monitor.spec.js';
import { loadSpec } from './nodes/load.spec.js';
import { nodesSpec } from './nodes/nodes.spec.js';
import { infoSpec, offSpec, onSpec, resetSpec, statusSpec, usrpoffSpec, usrponSpec, usrpstatusSpec } from './nodes/power.spec.js';
import { saveSpec } from './nodes/save.spec.js';
import { sweepSpec } from './nodes/sweep.spec.js';
import { waitSpec } from './nodes/wait.spec.js';
import { whichSpec } from './nodes/which.spec.js';
import { frisbeedSpec, frisbeeSpec, imageunzipSpec, imagezipSpec } from './programs/programs.spec.js';
import { runsSpec } from './runs/runs.spec.js';
import { demoSpec } from './testbed/demo.spec.js';
import { testbedSpec } from './testbed/testbed.spec.js';

/**
 * Every command there is. Help, completions, manual pages, bin/ and package.json come from this table (`npm run generate`);
 * a command itself, and what it needs, is loaded when it runs. A new domain gets one program with actions, as `imaging-image`
 * and `imaging-leases` are, not a program for each thing it does.
 */
export const commands: readonly Command[] = [
  onNodes(loadSpec, () => import('./nodes/load.js')),
  onNodes(saveSpec, () => import('./nodes/save.js')),
  onNodes(waitSpec, () => import('./nodes/wait.js')),
  onNodes(whichSpec, () => import('./nodes/which.js')),
  onNodes(statusSpec, async () => (await import('./nodes/power.js')).power('status')),
  onNodes(onSpec, async () => (await import('./nodes/power.js')).power('on')),
  onNodes(offSpec, async () => (await import('./nodes/power.js')).power('off')),
  onNodes(resetSpec, async () => (await import('./nodes/power.js')).power('reset')),
  onNodes(infoSpec, async () => (await import('./nodes/power.js')).power('info')),
  onNodes(usrpstatusSpec, async () => (await import('./nodes/power.js')).power('usrpstatus')),
  onNodes(usrponSpec, async () => (await import('./nodes/power.js')).power('usrpon')),
  onNodes(usrpoffSpec, async () => (await import('./nodes/power.js')).power('usrpoff')),
  plain(monitorSpec, () => import('./monitor/monitor.js')),
  plain(nodesSpec, () => import('./nodes/nodes.js')),
  plain(runsSpec, () => import('./runs/runs.js')),
  plain(listSpec, () => import('./images/list.js')),
  plain(shareSpec, () => import('./images/share.js')),
  plain(resolveSpec, () => import('./images/resolve.js')),
  plain(imageSpec, () => import('./images/image.js')),
  plain(inventorySpec, () => import('./inventory/inventory.js')),
  plain(leasesSpec, () => import('./leases/leases.js')),
  plain(configSpec, () => import('./config/config.js')),
  plain(doctorSpec, () => import('./doctor/doctor.js')),
  plain(sweepSpec, () => import('./nodes/sweep.js')),
  plain(completionSpec, () => import('./completion/completion.js')),
  plain(testbedSpec, () => import('./testbed/testbed.js')),
  plain(demoSpec, () => import('./testbed/demo.js')),
  program(frisbeeSpec, async () => (await import('./programs/programs.js')).frisbee),
  program(frisbeedSpec, async () => (await import('./programs/programs.js')).frisbeed),
  program(imagezipSpec, async () => (await import('./programs/programs.js')).imagezip),
  program(imageunzipSpec, async () => (await import('./programs/programs.js')).imageunzip),
];
