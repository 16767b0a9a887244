import { nodeName } from '../../nodes/names.js';
import type { Interface } from '../inventory.js';
import type { Machine } from './machine-map.js';
import { cmcMac, dataMac } from './macs.js';
import { addressIn } from './network.js';
import { roles, type Role, type SiteDescription } from './site-description.js';

/** A machine at its place in a testbed: what one entry of the inventory says, and where it comes from. */
export type PlacedNode = {
  /** Its number in this testbed: the slot's, or in a preparation lab its own. */
  number: number;
  /** The number on its label. */
  physical: number;
  /** Whether `-a` means it too. */
  inScope: boolean;
  cmc: Interface;
  control: Interface;
  data: Interface | null;
};

/**
 * The nodes of a site, by number, and everything that keeps its machines from being there, each with the map's file and
 * line. Names, control and data address come from the number here; CMC address and MAC from the physical one, which is
 * in the card's firmware and moves with the machine.
 * @param machines a map without problems, as `parseMachineMap` gives it
 */
export function placeMachines(
  site: SiteDescription,
  machines: readonly Machine[],
  mapFile: string,
): { nodes: PlacedNode[]; problems: string[] } {
  const problems: string[] = [];
  const macs = new Map<string, string>();
  const nodes = machines.flatMap((machine) => {
    const number = numberAt(site, machine);
    if (number === null) return [];
    const found: string[] = [];
    const node = placeOne(site, machine, number, found);
    if (node) claimMacs(node, machine.line, macs, found);
    problems.push(...found.map((problem) => `${mapFile}, line ${machine.line}: ${problem}`));
    return node === null ? [] : [node];
  });
  if (nodes.length === 0 && problems.length === 0)
    problems.push(
      `${mapFile}: no machine is ${site.mode === 'production' ? 'in a slot' : site.machines === 'all' ? 'listed' : `at ${site.place}`}, so ${site.name} would be empty`,
    );
  return { nodes: nodes.sort((a, b) => a.number - b.number), problems };
}

/** The number that a machine has in a site, or null when it is not there. */
function numberAt({ mode, place, machines }: SiteDescription, machine: Machine): number | null {
  if (mode === 'production') return typeof machine.place === 'number' ? machine.place : null;
  return machines === 'all' || machine.place === place ? machine.number : null;
}

function placeOne(site: SiteDescription, machine: Machine, number: number, problems: string[]): PlacedNode | null {
  const nic = (role: Role, own: number, mac: string | null): Interface | null => {
    const network = site.networks[role];
    if (network === null) return null;
    const ip = addressIn(network, own);
    if (ip === null) problems.push(`${whose(role, own, machine)} has no address in ${network.text}, the ${role} network of ${site.name}`);
    else if (own === site.gateway)
      problems.push(`${whose(role, own, machine)} would have ${ip}, the gateway's address in the ${role} network of ${site.name}`);
    if (mac === null) problems.push(`there is no MAC address before ${machine.mac} for the data interface`);
    return ip === null || mac === null ? null : { hostname: nodeName(number, site.prefixes[role]), ip, mac };
  };
  const cmc = nic('cmc', machine.number, cmcMac(machine.number));
  const control = nic('control', number, machine.mac);
  const data = nic('data', number, dataMac(machine.mac));
  if (cmc === null || control === null) return null;
  return { number, physical: machine.number, inScope: site.mode === 'production' || machine.place === site.place, cmc, control, data };
}

function whose(role: Role, own: number, machine: Machine): string {
  return role === 'cmc' || own === machine.number ? `machine ${own}` : `slot ${own}`;
}

/** Data and CMC MACs are computed: one may be the MAC that another machine has. */
function claimMacs(node: PlacedNode, line: number, taken: Map<string, string>, problems: string[]): void {
  for (const role of roles) {
    const mac = node[role]?.mac;
    if (mac === undefined) continue;
    const other = taken.get(mac);
    if (other === undefined) taken.set(mac, `the ${role} MAC address of line ${line}`);
    else problems.push(`${mac}, the ${role} MAC address of machine ${node.physical}, is already ${other}`);
  }
}
