import { boolean, decimal, groupPattern, integer, ipCommand, ipv4, optional, port, portPattern, seconds } from '../kinds.js';
import { section } from '../section.js';

/** Ports, multicast groups and rates. */
// biome-ignore format: a table, a key a line
export const networking = section('networking', {
  cmcPort: { key: 'cmc_port', kind: port, default: '80', status: 'new', meaning: 'HTTP port of the CMC cards' },
  telnetPort: { key: 'telnet_port', kind: port, default: '23', status: 'kept', meaning: 'telnet port of the ramdisk' },
  sshPort: { key: 'ssh_port', kind: port, default: '22', status: 'new', meaning: "ssh port of the nodes' systems" },
  telnetBackoffMs: { key: 'telnet_backoff', kind: seconds(0.01), default: '3', unit: 's', status: 'kept', meaning: 'mean time between two attempts to reach telnet; each is 0.5 to 1.5 times that' },
  sshBackoffMs: { key: 'ssh_backoff', kind: seconds(0.01), default: '3', unit: 's', status: 'kept', meaning: 'mean time between two attempts to reach ssh; each is 0.5 to 1.5 times that, and longer after a refused login' },
  /** Program and arguments; `{ip}` in any argument stands for the node's address. Null: no ping. */
  pingCommand: { key: 'ping_command', kind: ipCommand, default: 'ping -n -c 1 -W 1 {ip}', status: 'new', meaning: 'how to ask whether a node is alive at all (exit code 0: it is), run without a shell; empty: no ping' },
  groupPattern: { key: 'pattern_multicast', kind: groupPattern, default: '234.5.6.*', status: 'kept', meaning: 'multicast groups; * is 1 to pattern_size, and concurrent loads take different ones' },
  portPattern: { key: 'pattern_port', kind: portPattern, default: '10000 + *', status: 'kept', meaning: 'UDP port that goes with each group' },
  patternSize: { key: 'pattern_size', kind: integer(1, 10_000), default: '20', status: 'kept', meaning: 'how many loads may run at a time' },
  /** Mibit (2^20 bits) per second. */
  bandwidthMibps: { key: 'bandwidth', perNode: true, kind: decimal(0.1, 100_000, 'Mibit/s'), default: '50', unit: 'Mibit/s', status: 'kept', meaning: 'most that a load sends (1 Mibit is 2^20 bits); -b overrides' },
  /** Null: to be guessed from the interfaces. */
  localControlIp: { key: 'local_control_ip', kind: optional(ipv4), default: '', status: 'kept', meaning: "the gateway's address on the control network; empty: guessed" },
  multicastLoop: { key: 'multicast_loop', kind: boolean, default: 'no', status: 'new', meaning: 'whether images are also sent to receivers on this very machine, as the emulated testbed needs' },
});
