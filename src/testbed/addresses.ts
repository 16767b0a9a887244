import type { InventoryNode } from '../inventory/inventory.js';

/** Where one emulated node is found: names and addresses as an inventory would list them. */
export type NodeAddresses = {
  number: number;
  /** Control name, `fit07`. */
  name: string;
  /** Power card's name, `reboot07`. */
  cmcName: string;
  cmcIp: string;
  cmcMac: string;
  controlIp: string;
  controlMac: string;
};

/** The address scheme has room for this many nodes (fifteen steps of 16 in the third byte, 256 nodes each). */
export const MAX_NODES = 4095;

/**
 * Loopback addresses: 127.0.1.N and 127.0.3.N up to node 255, then on by 16 in the third byte for each further 256,
 * so that CMC and control addresses never meet. Linux answers on all of 127/8 without any set-up.
 */
export function loopbackAddresses(number: number): NodeAddresses {
  const high = 16 * (number >> 8);
  return { ...names(number), cmcIp: `127.0.${1 + high}.${number & 255}`, controlIp: `127.0.${3 + high}.${number & 255}` };
}

/** The addresses of a real testbed, for nodes that live in network namespaces: 192.168.1.N and 192.168.3.N, N <= 99. */
export function bridgedAddresses(number: number): NodeAddresses {
  return { ...names(number), cmcIp: `192.168.1.${number}`, controlIp: `192.168.3.${number}` };
}

/** The names and addresses that an inventory gives a node. */
export function inventoryAddresses({ number, name, cmc, control }: InventoryNode): NodeAddresses {
  return { number, name, cmcName: cmc.hostname, cmcIp: cmc.ip, cmcMac: cmc.mac, controlIp: control.ip, controlMac: control.mac };
}

function names(number: number): Omit<NodeAddresses, 'cmcIp' | 'controlIp'> {
  const digits = String(number).padStart(2, '0');
  const tail = [number >> 8, number & 255].map((byte) => byte.toString(16).padStart(2, '0')).join(':');
  return {
    number,
    name: `fit${digits}`,
    cmcName: `reboot${digits}`,
    cmcMac: `02:00:00:00:${tail}`, // what CMC firmware burns in for physical node N
    controlMac: `02:00:00:03:${tail}`,
  };
}

/** The file a node's pxelinux looks up first: hardware type 01, then the MAC in lower case with dashes. */
export function nextBootName(mac: string): string {
  return `01-${mac.toLowerCase().replaceAll(':', '-')}`;
}
