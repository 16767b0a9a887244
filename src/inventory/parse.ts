import { nodeNumber, type NodeNames } from '../nodes/names.js';
import { isIpv4 } from '../util/ipv4.js';
import { isObject } from '../util/json.js';
import { isHostname, normalizeMac } from './addresses.js';
import type { Interface, InventoryNode } from './inventory.js';

/** What is wrong with one field: `entry 3: control.mac: "00:03" is not a MAC address`. */
type Report = (where: string, what: string) => void;

/**
 * The nodes of an inventory's JSON value, in its order, and everything that is wrong with it, one line each. The
 * nodes are usable only when there is no problem. Entries count from 1.
 */
export function parseInventory(value: unknown, names: NodeNames): { nodes: InventoryNode[]; problems: string[] } {
  const problems: string[] = [];
  if (!Array.isArray(value)) return { nodes: [], problems: [`a list of entries is expected, this is ${described(value)}`] };
  if (value.length === 0) return { nodes: [], problems: ['the list is empty: it holds no node'] };

  const nodes: InventoryNode[] = [];
  const taken = new Map<string, string>();
  for (const [index, entry] of value.entries()) {
    const label = `entry ${index + 1}`;
    const report: Report = (where, what) => problems.push(`${label}: ${where}${where && ': '}${what}`);
    const node = parseEntry(entry, names, report);
    if (node === null) continue;
    reportDuplicates(node, label, taken, report);
    nodes.push(node);
  }
  return { nodes, problems };
}

function parseEntry(entry: unknown, names: NodeNames, report: Report): InventoryNode | null {
  if (!isObject(entry)) {
    report('', `an object with cmc and control is expected, this is ${described(entry)}`);
    return null;
  }
  const cmc = parseInterface(entry.cmc, 'cmc', report);
  const control = parseInterface(entry.control, 'control', report);
  // a data interface is optional, and null says the same as leaving it out
  const data = entry.data === undefined || entry.data === null ? null : parseInterface(entry.data, 'data', report);
  if (cmc === null || control === null) return null;

  const number = nodeNumber(control.hostname, names.regularName);
  if (number === null) {
    report('control.hostname', `${shown(control.hostname)} is not ${names.regularName} and a number (testbed.regularname)`);
    return null;
  }
  const cmcNumber = nodeNumber(cmc.hostname, names.rebootName);
  if (cmcNumber !== null && cmcNumber !== number) {
    report('cmc.hostname', `${shown(cmc.hostname)} is the card of another node than ${control.hostname}`);
  }
  return { number, name: control.hostname, cmc, control, data };
}

function parseInterface(value: unknown, where: string, report: Report): Interface | null {
  if (!isObject(value)) {
    report(where, value === undefined ? 'missing' : `an object with hostname, ip and mac is expected, this is ${described(value)}`);
    return null;
  }
  const field = (name: keyof Interface, normalize: (text: string) => string | null, what: string): string | null => {
    const text = value[name];
    const normal = typeof text === 'string' ? normalize(text) : null;
    if (normal === null) report(`${where}.${name}`, text === undefined ? 'missing' : `${shown(text)} is not ${what}`);
    return normal;
  };
  const hostname = field('hostname', (text) => (isHostname(text) ? text : null), 'a host name');
  const ip = field('ip', (text) => (isIpv4(text) ? text : null), 'an IPv4 address');
  const mac = field('mac', normalizeMac, 'a MAC address (six hex pairs)');
  return hostname === null || ip === null || mac === null ? null : { hostname, ip, mac };
}

/** `taken` remembers who has which host name, address and number, over all entries and all three interfaces. */
function reportDuplicates(node: InventoryNode, label: string, taken: Map<string, string>, report: Report): void {
  const claim = (key: string, where: string, what: string): void => {
    const other = taken.get(key);
    if (other === undefined) taken.set(key, `${label}'s ${where}`);
    else report(where, `${what} is already ${other}`);
  };
  for (const role of ['cmc', 'control', 'data'] as const) {
    const nic = node[role];
    if (nic === null) continue;
    claim(`hostname ${nic.hostname.toLowerCase()}`, `${role}.hostname`, shown(nic.hostname));
    claim(`ip ${nic.ip}`, `${role}.ip`, shown(nic.ip));
    claim(`mac ${nic.mac}`, `${role}.mac`, shown(nic.mac));
  }
  // fit1 and fit01 are two host names of one node
  const number = taken.get(`number ${node.number}`);
  if (number === undefined) taken.set(`number ${node.number}`, node.name);
  else if (number !== node.name) report('control.hostname', `${shown(node.name)} is the same node as ${number}`);
}

function described(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  return isObject(value) ? 'an object' : shown(value);
}

/** A JSON value as a message may hold it: short and on one line. */
function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? 'nothing';
  return text.length <= 60 ? text : `${text.slice(0, 57)}...`;
}
