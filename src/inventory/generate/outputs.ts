import { basename } from 'node:path';
import { fold } from '../../nodes/names.js';
import type { Interface } from '../inventory.js';
import { addressIn, netmask, type Network } from './network.js';
import type { PlacedNode } from './place-machines.js';
import { roles, type SiteDescription } from './site-description.js';

/** A file to be: its name without a folder, and all of its text. */
export type OutputFile = { name: string; text: string };

/** The files that are made for a site: the same text for the same input, whenever and wherever. @param source the description's file */
export function outputFiles(site: SiteDescription, nodes: readonly PlacedNode[], source: string): OutputFile[] {
  const header = `# ${site.name}: made by imaging-inventory generate from ${basename(source)} and ${basename(site.map)}; change those, not this\n`;
  return [
    { name: inventoryName(site), text: inventoryText(nodes) },
    { name: `${site.name}.hosts`, text: header + hostsText(site, nodes) },
    { name: `${site.name}.dnsmasq`, text: header + dnsmasqText(nodes) },
    { name: `${site.name}.omf.json`, text: omfText(site, nodes) },
    { name: `${site.name}.conf`, text: header + configText(site, nodes) },
  ];
}

function inventoryName(site: SiteDescription): string {
  return `${site.name}.inventory.json`;
}

/** One interface a line, in the format that commands read. */
function inventoryText(nodes: readonly PlacedNode[]): string {
  const entries = nodes.map((node) => {
    const lines = roles.flatMap((role) => {
      const nic = node[role];
      return nic === null ? [] : [`    "${role}": { "hostname": ${JSON.stringify(nic.hostname)}, "ip": "${nic.ip}", "mac": "${nic.mac}" }`];
    });
    return `  {\n${lines.join(',\n')}\n  }`;
  });
  return `[\n${entries.join(',\n')}\n]\n`;
}

function hostsText({ name, domain, networks, gateway }: SiteDescription, nodes: readonly PlacedNode[]): string {
  const line = (ip: string, hostname: string): string => `${ip.padEnd(15)} ${domain === null ? '' : `${hostname}.${domain} `}${hostname}\n`;
  const groups = roles.map((role) => {
    const lines = nodes.flatMap((node) => {
      const nic = node[role];
      return nic === null ? [] : [line(nic.ip, nic.hostname)];
    });
    return lines.join('');
  });
  return line(gatewayIp(networks.control, gateway), name) + groups.join('');
}

/** CMC cards have their address in the firmware and ask for none. */
function dnsmasqText(nodes: readonly PlacedNode[]): string {
  const line = (tag: string, nic: Interface | null): string =>
    nic === null ? '' : `dhcp-host=set:${tag},${nic.mac},${nic.ip},${nic.hostname}\n`;
  const note =
    '# when machines have moved: stop dnsmasq, remove its leases file, start it; else they may get a dynamic address for a while\n';
  return note + (['control', 'data'] as const).flatMap((role) => nodes.map((node) => line(role, node[role]))).join('');
}

function configText(site: SiteDescription, nodes: readonly PlacedNode[]): string {
  const scope = fold(nodes.filter((node) => node.inScope).map((node) => node.number));
  return `[testbed]
regularname = ${site.prefixes.control}
rebootname = ${site.prefixes.cmc}
inventory_path = ${inventoryName(site)}
all_scope = ${scope}

[networking]
local_control_ip = ${gatewayIp(site.networks.control, site.gateway)}
`;
}

/** The resources that a lease is taken on, as OMF's resource database imports them. */
function omfText(site: SiteDescription, nodes: readonly PlacedNode[]): string {
  const { hardwareType, resource } = site.omf;
  const described = (name: string): Record<string, string> => ({
    name,
    hostname: name,
    hardware_type: hardwareType,
    urn: `urn:publicid:IDN+omf:${site.name}+node+${name}`,
  });
  const address = (ip: string, network: Network): Record<string, string> => ({ address: ip, netmask: netmask(network), ip_type: 'ipv4' });
  const resources = nodes.map(({ cmc, control, data }) => ({
    ...described(control.hostname),
    interfaces: [
      { name: `${control.hostname}:if0`, role: 'control', mac: control.mac, ip: address(control.ip, site.networks.control) },
      ...(data === null ? [] : [{ name: `${control.hostname}:if1`, role: 'experimental', mac: data.mac }]),
    ],
    cmc: { name: `${control.hostname}:cm`, mac: cmc.mac, ip: address(cmc.ip, site.networks.cmc) },
  }));
  return `${JSON.stringify(resource === null ? resources : [described(resource)], null, 2)}\n`;
}

function gatewayIp(network: Network, gateway: number): string {
  const ip = addressIn(network, gateway);
  if (ip === null) throw new Error(`${network.text} was checked to have an address ${gateway}`);
  return ip;
}
