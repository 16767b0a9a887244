import type { Check } from './finding.js';
import { buffers } from './checks/buffers.js';
import { clock, clockSkew } from './checks/clock.js';
import { cmc } from './checks/cmc.js';
import { controlNetwork } from './checks/control-network.js';
import { defaultImage, imagesFolder } from './checks/images.js';
import { leftovers } from './checks/leftovers.js';
import { systemCalls } from './checks/system-calls.js';
import { multicast } from './checks/multicast.js';
import { engine, ping } from './checks/programs.js';
import { ramdisk, tftpFolder } from './checks/pxe.js';
import { rights } from './checks/rights.js';
import { runsFolder } from './checks/runs.js';
import { nodeVersion, openFiles } from './checks/runtime.js';
import { sshKeys } from './checks/ssh-keys.js';
import { sshLogin } from './checks/ssh-login.js';

/** What imaging-doctor looks at after configuration and inventory, in the order it is shown. docs/doctor.md has a row for each. */
export const checks: readonly Check[] = [
  nodeVersion,
  openFiles,
  buffers,
  systemCalls,
  clock,
  clockSkew,
  rights,
  sshKeys,
  engine,
  ping,
  imagesFolder,
  defaultImage,
  runsFolder,
  tftpFolder,
  ramdisk,
  leftovers,
  controlNetwork,
  multicast,
  cmc,
  sshLogin,
];
