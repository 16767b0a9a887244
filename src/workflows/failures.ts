import { type CodeIn, type Fail, failures } from '../util/failures.js';

const table = {
  'reset-ignored': {
    blame: 'node',
    cure: 'again',
    meaning: 'Neither reset nor off had any effect: the old system still answers.',
    todo: 'Unplug the card for five minutes, and look at its wiring.',
  },
  'probe-failed': {
    blame: 'site',
    cure: 'again',
    meaning: 'The gateway could not look whether a node answers.',
    todo: 'See the cause in the message.',
  },
  'not-the-ramdisk': {
    blame: 'node',
    cure: 'again',
    meaning: 'The node runs from the disk that is to be written, not in the small system.',
    todo: 'Look at its next-boot link, DHCP and TFTP.',
  },
  'no-such-program': {
    blame: 'site',
    cure: 'person',
    meaning: 'The small system has no such program.',
    todo: 'Add it, or see frisbee.client, frisbee.imagezip and frisbee.netcat in the configuration.',
  },
  'frisbee-failed': {
    blame: 'node',
    cure: 'again',
    meaning: 'The frisbee client on the node ended badly.',
    todo: 'See its last words in the message, and its whole output in the log of the node.',
  },
  'no-write-report': {
    blame: 'site',
    cure: 'again',
    meaning: 'The frisbee client ended well and did not say how much it wrote.',
    todo: 'Look whether the program that frisbee.client names is a frisbee.',
  },
  'short-write': {
    blame: 'node',
    cure: 'again',
    meaning: 'The frisbee client wrote less, or more, than the image holds.',
    todo: 'Look whether the disk is smaller than the image, and at the log of the node.',
  },
  'write-stalled': {
    blame: 'node',
    cure: 'again',
    meaning: 'Neither output nor a request came from the frisbee client for nodes.stall_timeout.',
    todo: 'Look whether the node has lost power, its network or its disk.',
  },
  'server-ended': {
    blame: 'site',
    cure: 'person',
    meaning: 'The frisbeed of the site ended while nodes were being loaded.',
    todo: 'Run it by hand with -d to see why, or set frisbee.engine to embedded.',
  },
  'verify-mismatch': {
    blame: 'node',
    cure: 'again',
    meaning: 'The disk holds something else than was written.',
    todo: 'Load it again, and look at the SMART values of the disk, its cable and the memory.',
  },
  'verify-unreadable': {
    blame: 'node',
    cure: 'again',
    meaning: 'The disk was written and cannot be read.',
    todo: 'Look at the SMART values of the disk.',
  },
  'verify-impossible': {
    blame: 'site',
    cure: 'person',
    meaning: 'The small system has no program to read back with, and --verify full was asked for.',
    todo: 'Add one to it, or load with --verify none.',
  },
  'verify-failed': {
    blame: 'node',
    cure: 'again',
    meaning: 'The programs that read back said something that makes no sense.',
    todo: 'Look at the log of the node; it is no verdict on the disk.',
  },
  'wrong-image': {
    blame: 'node',
    cure: 'again',
    meaning: 'The node has booted another system than the one that was loaded.',
    todo: 'Look whether it boots from another disk, or over the network.',
  },
  'boot-not-proven': {
    blame: 'node',
    cure: 'again',
    meaning: 'The system does not tell since when it is up, so that it may be the one from before the reset.',
    todo: 'Wait a while longer.',
  },
  'old-system': {
    blame: 'node',
    cure: 'again',
    meaning: 'The system that answers is the one from before the reset.',
    todo: 'Look with imaging-status whether the reset was ignored.',
  },
  'unknown-image': {
    blame: 'node',
    cure: 'person',
    meaning: 'Nothing tells which image the node has.',
    todo: 'Look whether it is on, and whether you may log in.',
  },
  'disk-half-written': {
    blame: 'run',
    cure: 'person',
    meaning: 'By our records, a load of this disk did not end well.',
    todo: 'Load it again, or save it as it is with --force.',
    refusal: true,
  },
  'disk-unverified': {
    blame: 'run',
    cure: 'person',
    meaning: 'By our records, nothing of this disk was read back when it was loaded.',
    todo: 'Load it again, or save it as it is with --force.',
    refusal: true,
  },
  'root-still-mounted': {
    blame: 'node',
    cure: 'again',
    meaning: 'The partition that was stamped cannot be unmounted, and an image of it would not be sound.',
    todo: 'Set frisbee.root_partition to none to save without a stamp.',
  },
  'imagezip-failed': {
    blame: 'node',
    cure: 'again',
    meaning: 'imagezip on the node ended badly.',
    todo: 'See its last words in the message, and its whole output in the log of the node.',
  },
  'collect-broken': {
    blame: 'node',
    cure: 'again',
    meaning: 'The node broke the connection in the middle of its image.',
    todo: 'Look whether it lost power or its network.',
  },
  'collect-failed': {
    blame: 'site',
    cure: 'again',
    meaning: 'The gateway could not take in the image of a node: it cannot write the file, or nothing has connected.',
    todo: 'Look whether there is room, and whether you may write there.',
  },
  collector: {
    blame: 'site',
    cure: 'person',
    meaning: 'The gateway cannot listen for the image of a node.',
    todo: 'See networking.local_control_ip in the configuration.',
  },
} as const;

export type WorkflowCode = CodeIn<typeof table>;
/** What can fail on the way of a node through a workflow. */
export const fail: Fail<WorkflowCode> = failures('The steps of a node', table);
