import { foldNames } from '../../../nodes/names.js';
import { holds } from '../../../util/ipv4.js';
import { ownAddresses, sourceAddress, type OwnAddress } from '../../../util/own-addresses.js';
import { counted, ok, problem, warning, type Check, type Finding } from '../finding.js';
import { controlIp, interfaceOf, setting } from '../network.js';

/** The address that loads send from: it must be ours, and on the nodes' network. */
export const controlNetwork = {
  name: 'control-network',
  needs: 'inventory',
  run: async (site) => {
    const localIp = await controlIp(site);
    const own = await interfaceOf(localIp);
    const from = site.config.networking.localControlIp === null ? 'guessed' : 'networking.local_control_ip';
    if (own === null) {
      const ours = (await ownAddresses()).map(({ address }) => address);
      return [
        problem(
          `${localIp} (${from}) is no address of this machine, or its interface is down`,
          'images are sent from it',
          `its addresses are ${ours.join(', ')}: set local_control_ip in section [networking], or leave it empty`,
          'ip -br address shows whether the interface is up',
        ),
      ];
    }
    const outside = site.nodes.filter(({ control }) => !holds(own, control.ip));
    const findings: Finding[] = [];
    if (outside.length > 0) {
      findings.push(
        warning(
          `${counted(outside.length, 'node')} not in the network of ${localIp}/${own.netmask}: ${foldNames(outside.map(({ name }) => name))}`,
          'multicast does not leave that network unless routers forward it',
          'correct control.ip in the inventory, or local_control_ip',
        ),
      );
    }
    const source = await sourceAddress(site.inventory.firstControlIp);
    if (source !== null && !source.startsWith('127.') && source !== localIp && outside.length === 0) {
      findings.push(
        warning(
          `what is sent to ${site.inventory.firstControlIp} leaves from ${source}, not from ${localIp}`,
          'this machine has several addresses or interfaces on that network; answers may be thrown away (rp_filter)',
          'ip route get shows the way; set local_control_ip to the address nodes are reached from',
        ),
      );
    }
    findings.push(...bridgeFindings(own), ...multicastFlag(own));
    return findings.length > 0
      ? findings
      : [ok(`${localIp} on ${own.name} (${from}), the network of all ${counted(site.nodes.length, 'node')}`)];
  },
} satisfies Check;

/** A bridge that snoops IGMP and hears no querier forgets the members of groups after some minutes. */
function bridgeFindings({ name }: OwnAddress): Finding[] {
  const folder = `/sys/class/net/${name}/bridge`;
  if (setting(`${folder}/multicast_snooping`) !== '1' || setting(`${folder}/multicast_querier`) !== '0') return [];
  return [
    warning(
      `${name} is a bridge that snoops IGMP and asks nobody (multicast_snooping 1, multicast_querier 0)`,
      'where no router asks either, it forgets who is in a group after 260 s: long loads stall',
      `ip link set ${name} type bridge mcast_querier 1 (or mcast_snooping 0)`,
    ),
  ];
}

const IFF_MULTICAST = 0x1000;

function multicastFlag({ name }: OwnAddress): Finding[] {
  const flags = Number(setting(`/sys/class/net/${name}/flags`) ?? Number.NaN);
  if (name === 'lo' || Number.isNaN(flags) || (flags & IFF_MULTICAST) !== 0) return [];
  return [
    problem(`${name} does not do multicast (flag MULTICAST is off)`, 'no load can send there', `ip link set dev ${name} multicast on`),
  ];
}
