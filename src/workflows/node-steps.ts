import { type LeftBehind, type StepOf, steps, type Work } from '../events/work.js';
import type { TargetRun } from '../engine/target-run.js';
import type { InventoryNode } from '../inventory/inventory.js';

/** Into the small system, the image onto the disk, and out again. */
const loadSteps = steps({
  lock: { early: true },
  pxe: { early: true },
  reset: { early: true },
  boot: { early: true },
  write: { moves: 'bytes', disk: 'in-write' },
  check: {},
  verify: { moves: 'bytes', disk: 'judged' },
  reboot: { disk: 'written' },
  ssh: {},
});

/** Into the small system, the disk into an image, and out again. */
const saveSteps = steps({
  lock: { early: true },
  pxe: { early: true },
  reset: { early: true },
  boot: { early: true },
  stamp: {},
  read: { moves: 'bytes' },
  check: {},
  reboot: {},
});

const powerSteps = steps({ lock: { early: true }, cmc: {} });
const waitSteps = steps({ ssh: {}, telnet: {} });
const whichSteps = steps({ ssh: {} });

/** The steps of all that is done to nodes. */
export type NodeStep =
  | StepOf<typeof loadSteps>
  | StepOf<typeof saveSteps>
  | StepOf<typeof powerSteps>
  | StepOf<typeof waitSteps>
  | StepOf<typeof whichSteps>;

/** One node on its way through a workflow. */
export type NodeRun = TargetRun<InventoryNode, NodeStep>;

const UNTOUCHED = 'was|were not touched';
const ONLY_RESET = 'was|were only reset: disks are as they were, and the small system or the disk boots; imaging-reset boots the disk';

/** What a load tells of itself; `reset`: nodes are booted into the small system, and out of it. */
export function loadWork(reset: boolean): Work {
  const leftBehind: LeftBehind[] = [
    { disk: 'as-it-was', steps: reset ? ['lock', 'pxe', 'check'] : loadSteps.map(({ name }) => name), words: UNTOUCHED },
    { disk: 'as-it-was', words: ONLY_RESET },
    {
      disk: 'in-write',
      steps: ['write', 'check'],
      words: 'was|were cut off in the middle of the write: they run the small system, their disks hold nothing bootable: load them again',
    },
    {
      disk: 'in-write',
      steps: ['verify'],
      words: 'was|were written wrongly: they run the small system, their disks hold nothing bootable: load them again',
    },
    { disk: 'in-write', words: 'was|were cut off between two tries: their disks hold nothing bootable: load them again' },
    {
      disk: 'written',
      steps: ['verify'],
      words: 'was|were written, and not read back to the end: they run the small system; imaging-reset boots the new image',
    },
    {
      disk: 'written',
      steps: ['reboot'],
      words: 'was|were written; perhaps the reset into the new image was not sent: imaging-reset does',
    },
    { disk: 'written', words: 'was|were written and reset into the new image; nobody has waited for ssh' },
  ];
  return { kind: 'node', steps: loadSteps, leftBehind };
}

/** What a save tells of itself; `reset` as for a load. */
export function saveWork(reset: boolean): Work {
  const leftBehind: LeftBehind[] = [
    {
      disk: 'as-it-was',
      steps: ['stamp', 'read', 'check'],
      words:
        'was|were being read: the small system runs there, disks are as they were but for a stamp, and no image is kept; imaging-reset boots them',
    },
    { disk: 'as-it-was', steps: reset ? ['lock', 'pxe'] : ['lock', 'boot'], words: UNTOUCHED },
    {
      disk: 'as-it-was',
      steps: ['reboot'],
      words: 'was|were read; perhaps the reset that ends the small system was not sent: imaging-status and imaging-reset',
    },
    { disk: 'as-it-was', words: ONLY_RESET },
  ];
  return { kind: 'node', steps: saveSteps, leftBehind };
}

/** What a verb tells of itself; `changes`: it does something to the node. */
export function powerWork(changes: boolean): Work {
  const leftBehind: LeftBehind[] = [
    { disk: 'as-it-was', steps: ['lock'], words: UNTOUCHED },
    { disk: 'as-it-was', words: 'may have done what the card was sent: nobody has heard of it' },
  ];
  return { kind: 'node', steps: powerSteps, leftBehind: changes ? leftBehind : [] };
}

export const waitWork: Work = { kind: 'node', steps: waitSteps, leftBehind: [] };
export const whichWork: Work = { kind: 'node', steps: whichSteps, leftBehind: [] };
