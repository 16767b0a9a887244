import type { NodeState, RunState } from '../events/reducer.js';

/** Commands that boot nodes into the small system. */
const BOOTING: ReadonlySet<string> = new Set(['load', 'save']);
/** Commands that send the cards something which takes effect. */
const SENDING: ReadonlySet<string> = new Set(['on', 'off', 'reset', 'usrpon', 'usrpoff']);

/**
 * Where the nodes are that an interrupt has cut off, one line for each kind of place; empty for a run that nobody has
 * interrupted, and for a command that touches no node. `fold` turns names into a short set.
 */
export function leftBehind(state: RunState, fold: (names: string[]) => string): string[] {
  if (state.ending === null) return [];
  const groups = new Map<string, string[]>();
  for (const node of state.nodes.values()) {
    const place = node.failure?.code === 'interrupted' ? placeOf(node, state) : null;
    if (place !== null) groups.set(place, [...(groups.get(place) ?? []), node.node]);
  }
  return [...groups].map(
    ([place, nodes]) =>
      `${nodes.length} node${nodes.length === 1 ? '' : 's'} (${fold(nodes)}) ${nodes.length === 1 ? place.replaceAll(/\b(\w+)\|(\w+)\b/g, '$1') : place.replaceAll(/\b(\w+)\|(\w+)\b/g, '$2')}`,
  );
}

/** With `one|many` where the number of nodes matters. */
function placeOf(node: NodeState, { command, details }: RunState): string | null {
  const step = node.failure?.step ?? node.step;
  if (SENDING.has(command))
    return step === 'lock' || step === 'pxe' ? 'was|were not touched' : 'may have done what the card was sent: nobody has heard of it';
  if (!BOOTING.has(command)) return null;
  if (node.disk === 'in-write') return inWrite(step);
  if (node.disk === 'written') return written(step);
  if (step === 'stamp' || step === 'read' || step === 'check')
    return 'was|were being read: the small system runs there, disks are as they were but for a stamp, and no image is kept; imaging-reset boots them';
  if (details.reset === false || (step !== 'reset' && step !== 'boot' && step !== 'reboot')) return 'was|were not touched';
  if (step === 'reboot')
    return 'was|were read; perhaps the reset that ends the small system was not sent: imaging-status and imaging-reset';
  return 'was|were only reset: disks are as they were, and the small system or the disk boots; imaging-reset boots the disk';
}

function inWrite(step: string | null): string {
  if (step === 'write' || step === 'check')
    return 'was|were cut off in the middle of the write: they run the small system, their disks hold nothing bootable: load them again';
  if (step === 'verify') return 'was|were written wrongly: they run the small system, their disks hold nothing bootable: load them again';
  return 'was|were cut off between two tries: their disks hold nothing bootable: load them again';
}

function written(step: string | null): string {
  if (step === 'verify')
    return 'was|were written, and not read back to the end: they run the small system; imaging-reset boots the new image';
  if (step === 'reboot') return 'was|were written; perhaps the reset into the new image was not sent: imaging-reset does';
  return 'was|were written and reset into the new image; nobody has waited for ssh';
}
