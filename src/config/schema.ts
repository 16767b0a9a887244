import {
  boolean,
  choice,
  decimal,
  groupPattern,
  hostname,
  httpUrl,
  integer,
  ipCommand,
  ipv4,
  type Kind,
  localProgram,
  logins,
  nodePath,
  nodeSpecs,
  optional,
  path,
  port,
  portPattern,
  prefix,
  program,
  seconds,
  text,
  unlessNone,
  windowSize,
  words,
} from './kinds.js';

/** A key's standing towards the tool of 2015: taken over under its name, or new. */
export type KeyStatus = 'kept' | 'new';

export type KeySpec<T> = {
  section: string;
  key: string;
  kind: Kind<T>;
  /** As it would be written in a file. */
  default: string;
  meaning: string;
  /** The unit of its number as it is written, or null. */
  unit: string | null;
  status: KeyStatus;
  /** Its value is never shown, and a file that holds one should not be readable by everybody. */
  secret: boolean;
};

type Specs = Record<string, { kind: Kind<unknown>; default: string; meaning: string; unit?: string; status: KeyStatus; secret?: true }>;
type Schema<S extends Specs> = { readonly [K in keyof S]: S[K] extends { kind: Kind<infer T> } ? KeySpec<T> : never };

/**
 * Every key there is, by `section.key`. The documentation's table, the example file, the validation and `Config` all
 * come from here. Defaults of kept keys are those of the 2015 tool.
 */
// biome-ignore format: a table, a key a line
export const schema = define({
  'permissions.leases_server': { kind: hostname, default: 'faraday.inria.fr', status: 'kept', meaning: 'host of the lease server, for leases.backend = omf' },
  'permissions.leases_port': { kind: port, default: '12346', status: 'kept', meaning: 'port of the lease server, for leases.backend = omf' },

  'leases.backend': { kind: choice('none', 'local', 'omf', 'r2labapi'), default: 'none', status: 'new', meaning: 'who knows which user has the testbed when: nobody, a file of this machine, an OMF server, or an R2lab API' },
  'leases.file': { kind: path, default: '/var/lib/imaging/leases/leases.db', status: 'new', meaning: 'the file of leases, for backend = local; who books must be allowed to write it and its folder' },
  'leases.url': { kind: optional(httpUrl), default: '', status: 'new', meaning: 'where the lease server is; empty: https://permissions.leases_server:leases_port for omf, https://r2labapi.inria.fr for r2labapi' },
  'leases.resource_name': { kind: text, default: 'r2lab.inria.fr', status: 'new', meaning: 'what the whole testbed is called there, as one resource' },
  'leases.token': { kind: optional(text), default: '', status: 'new', secret: true, meaning: 'access token, for booking with backend = r2labapi' },
  'leases.email': { kind: optional(text), default: '', status: 'new', meaning: 'who books with backend = r2labapi; the variable R2LABAPI_EMAIL overrides' },
  'leases.password': { kind: optional(text), default: '', status: 'new', secret: true, meaning: 'the password that goes with email; the variable R2LABAPI_PASSWORD overrides' },
  'leases.privileged': { kind: logins, default: 'root,guest', status: 'new', meaning: 'logins that need no lease' },
  'leases.timeout': { kind: seconds(0.1), default: '5', unit: 's', status: 'new', meaning: 'how long the lease server, or a busy file of leases, may take for one request' },
  'leases.verify_tls': { kind: boolean, default: 'yes', status: 'new', meaning: "whether the lease server's certificate must be valid" },

  'testbed.regularname': { kind: prefix, default: 'fit', status: 'kept', meaning: 'what the host names of nodes begin with: fit07' },
  'testbed.rebootname': { kind: prefix, default: 'reboot', status: 'kept', meaning: 'what the host names of CMC cards begin with: reboot07' },
  'testbed.inventory_path': { kind: path, default: '/etc/imaging-inventory.json', status: 'kept', meaning: 'the inventory: the slots of the testbed and their addresses' },
  'testbed.all_scope': { kind: optional(nodeSpecs), default: '', status: 'new', meaning: 'what -a means when ALL_NODES is not set, such as 1-37' },

  'nodes.idle_after_reset': { kind: seconds(0), default: '15', unit: 's', status: 'kept', meaning: 'how long the old system may go on answering after a reset before the reset counts as ignored' },
  'nodes.timeout_before_telnet': { kind: seconds(1), default: '80', unit: 's', status: 'kept', meaning: 'how long a node may take from its reset until it answers telnet' },
  'nodes.timeout_before_ssh': { kind: seconds(1), default: '300', unit: 's', status: 'new', meaning: 'how long a node may take from its last reset until its new system answers ssh, where a load waits for that' },
  'nodes.status_default_timeout': { kind: seconds(0.1), default: '5', unit: 's', status: 'kept', meaning: 'how long a CMC card may take to answer one request' },
  'nodes.stall_timeout': { kind: seconds(1), default: '30', unit: 's', status: 'new', meaning: 'how long a node may be silent in the middle of a transfer, neither printing nor asking for data, before it counts as dead' },
  'nodes.load_default_timeout': { kind: seconds(1), default: '300', unit: 's', status: 'kept', meaning: 'how long one attempt at loading a node may take, at least: large images and slow nodes get more; -t is for all attempts together' },
  'nodes.passes': { kind: integer(1, 100), default: '2', status: 'new', meaning: 'how many times a node is tried in all by load and save, each time harder: off and on, longer deadlines; --passes overrides' },
  'nodes.retry_pause': { kind: seconds(0.01), default: '3', unit: 's', status: 'new', meaning: 'mean time before a node that failed is tried again; each is 0.5 to 1.5 times that' },
  'nodes.boot_window': { kind: optional(windowSize), default: '', status: 'new', meaning: 'how resets of load and save are spread, such as 20/2s: at most 20 nodes in 2 seconds; --window overrides' },
  'nodes.save_default_timeout': { kind: seconds(1), default: '300', unit: 's', status: 'kept', meaning: 'how long one node may take in all to be saved; -t overrides' },
  'nodes.wait_default_timeout': { kind: seconds(0.1), default: '60', unit: 's', status: 'kept', meaning: 'how long imaging-wait waits for a node; -t overrides' },
  'nodes.quarantine_after': { kind: integer(0, 1000), default: '0', status: 'new', meaning: 'how many failed loads and saves in a row put a node in quarantine, where load and save skip it; 0: never' },

  'pxelinux.config_dir': { kind: path, default: '/tftpboot/pxelinux.cfg/', status: 'kept', meaning: 'the TFTP folder where next-boot links are made' },
  'pxelinux.frisbee_image': { kind: text, default: 'pxefrisbee', status: 'kept', meaning: 'what a next-boot link points at: the boot configuration of the ramdisk, in config_dir' },

  'frisbee.engine': { kind: choice('embedded', 'frisbeed'), default: 'embedded', status: 'new', meaning: 'what sends images: the server inside imaging, or the program that frisbee.server names' },
  'frisbee.server': { kind: localProgram, default: 'frisbeed', status: 'kept', meaning: 'the server program on the gateway, for engine = frisbeed' },
  'frisbee.server_options': { kind: words, default: '-K 3', status: 'kept', meaning: "the server program's options, for engine = frisbeed" },
  'frisbee.client': { kind: program, default: 'frisbee', status: 'kept', meaning: 'the receiving program in the ramdisk' },
  'frisbee.imagezip': { kind: program, default: 'imagezip', status: 'kept', meaning: 'the program in the ramdisk that makes an image of the disk' },
  'frisbee.netcat': { kind: program, default: 'nc', status: 'kept', meaning: 'the program in the ramdisk that sends an image to the gateway' },
  'frisbee.hard_drive': { kind: nodePath, default: '/dev/sda', status: 'kept', meaning: 'the disk of the nodes' },
  'frisbee.root_partition': { kind: unlessNone(nodePath), default: '/dev/sda1', status: 'new', meaning: 'the partition of the nodes whose etc/imaging-image imaging-save writes a line to; none: nothing is written on nodes' },
  'frisbee.mount_point': { kind: nodePath, default: '/mnt', status: 'new', meaning: 'the folder of the ramdisk where root_partition is mounted for that' },
  'frisbee.images_dir': { kind: path, default: '/var/lib/imaging', status: 'kept', meaning: 'the folder of images on the gateway' },
  'frisbee.default_image': { kind: text, default: 'default.ndz', status: 'kept', meaning: 'the image that is loaded without -i: a name in images_dir, or a path' },
  'frisbee.verify': { kind: choice('sample', 'full', 'none'), default: 'sample', status: 'new', meaning: 'how much of what a load wrote is read back on the node: the first region, the last and 64 ranges at random places; everything; nothing; --verify overrides' },
  'frisbee.largest_disk': { kind: decimal(0.001, 2200, 'GB'), default: '2200', unit: 'GB', status: 'new', meaning: 'size of the largest disk of the nodes: an image that is no .ndz, and of a larger disk, is not converted' },
  'frisbee.clear_end': { kind: boolean, default: 'yes', status: 'new', meaning: "whether a load clears the last MiB of a node's disk as far as it lies behind the image, so that no RAID, ZFS or copy of a GPT of an older system is found there" },

  'networking.cmc_port': { kind: port, default: '80', status: 'new', meaning: 'HTTP port of the CMC cards' },
  'networking.telnet_port': { kind: port, default: '23', status: 'kept', meaning: 'telnet port of the ramdisk' },
  'networking.ssh_port': { kind: port, default: '22', status: 'new', meaning: "ssh port of the nodes' systems" },
  'networking.telnet_backoff': { kind: seconds(0.01), default: '3', unit: 's', status: 'kept', meaning: 'mean time between two attempts to reach telnet; each is 0.5 to 1.5 times that' },
  'networking.ssh_backoff': { kind: seconds(0.01), default: '3', unit: 's', status: 'kept', meaning: 'mean time between two attempts to reach ssh; each is 0.5 to 1.5 times that, and longer after a refused login' },
  'networking.ping_command': { kind: ipCommand, default: 'ping -n -c 1 -W 1 {ip}', status: 'new', meaning: 'how to ask whether a node is alive at all (exit code 0: it is), run without a shell; empty: no ping' },
  'networking.pattern_multicast': { kind: groupPattern, default: '234.5.6.*', status: 'kept', meaning: 'multicast groups; * is 1 to pattern_size, and concurrent loads take different ones' },
  'networking.pattern_port': { kind: portPattern, default: '10000 + *', status: 'kept', meaning: 'UDP port that goes with each group' },
  'networking.pattern_size': { kind: integer(1, 10_000), default: '20', status: 'kept', meaning: 'how many loads may run at a time' },
  'networking.bandwidth': { kind: decimal(0.1, 100_000, 'Mibit/s'), default: '50', unit: 'Mibit/s', status: 'kept', meaning: 'most that a load sends (1 Mibit is 2^20 bits); -b overrides' },
  'networking.local_control_ip': { kind: optional(ipv4), default: '', status: 'kept', meaning: "the gateway's address on the control network; empty: guessed" },
  'networking.multicast_loop': { kind: boolean, default: 'no', status: 'new', meaning: 'whether images are also sent to receivers on this very machine, as the emulated testbed needs' },

  'monitor.cycle': { kind: seconds(0.1), default: '2', unit: 's', status: 'new', meaning: 'mean time between two looks of imaging-monitor at a node; --cycle overrides' },
  'monitor.login_cycle': { kind: seconds(1), default: '60', unit: 's', status: 'new', meaning: 'how often imaging-monitor asks a node to which nothing seems to have happened what it runs' },
  'monitor.listen_names': { kind: words, default: '', status: 'new', meaning: 'the names that imaging-monitor --listen may be asked for by (Host), besides localhost, addresses and the HOST of --listen: those of this machine, or of a proxy before it' },

  'runs.dir': { kind: optional(path), default: '', status: 'new', meaning: 'where the journals and logs of runs go; empty: /var/lib/imaging when it can be written, else ~/.local/state/imaging' },
  'runs.keep': { kind: integer(1, 1_000_000), default: '200', status: 'new', meaning: 'how many runs of each command are kept' },
  'runs.keep_days': { kind: integer(0, 36_500), default: '90', unit: 'days', status: 'new', meaning: 'how long runs are kept; 0: as long as runs.keep says' },
  'runs.prometheus_file': { kind: optional(path), default: '', status: 'new', meaning: 'where each run leaves counters and gauges for the textfile collector of Prometheus, a name ending in .prom; empty: nowhere' },
});

export type KeyName = keyof typeof schema & string;

/** All keys, in the order of the table. */
export const allKeys: readonly KeySpec<unknown>[] = Object.values(schema);

/** The keys that a section `[node SPECS]` may hold, by their full names: for those nodes they count instead. */
export const nodeKeys = [
  'networking.bandwidth',
  'frisbee.hard_drive',
  'nodes.idle_after_reset',
  'nodes.timeout_before_telnet',
  'nodes.timeout_before_ssh',
  'nodes.stall_timeout',
  'nodes.load_default_timeout',
] as const satisfies readonly KeyName[];

/** Sections whose keys are names that the site chooses, and what their values are. */
export const freeSections: Readonly<Record<string, string>> = { groups: 'sets of nodes: name = node specs' };

/** Later names of a key (rhubarbe's): the value counts, with a warning, one for all of a file. */
export const renamedKeys: Readonly<Record<string, KeyName>> = {
  'testbed.inventory_nodes_path': 'testbed.inventory_path',
  'nodes.cmc_default_timeout': 'nodes.status_default_timeout',
  'r2labapi.url': 'leases.url',
  'r2labapi.resource_name': 'leases.resource_name',
  'r2labapi.admin_token': 'leases.token',
  'accounts.privileged': 'leases.privileged',
};

/** Keys that mean nothing here any more, and why; they are accepted with a warning, one for all of a file. A `*` stands for the rest of the section. */
export const droppedKeys: Readonly<Record<string, string>> = {
  'testbed.inventory_phones_path': 'phones are not imaged',
  'testbed.inventory_pdus_path': 'power goes through the CMC cards alone',
  'testbed.inventory_relays_path': 'power goes through the CMC cards alone',
  'testbed.relays_database_folder': 'power goes through the CMC cards alone',
  'nodes.cmc_safe_timeout': 'every CMC request has the one deadline nodes.status_default_timeout',
  'nodes.load_nightly_timeout': 'deadlines of a script are given with -t',
  'nodes.wait_nightly_timeout': 'deadlines of a script are given with -t',
  'nodes.ssh_nightly_timeout': 'deadlines of a script are given with -t',
  'frisbee.netcat_style': 'the gateway runs no netcat',
  'networking.ssh_timeout': 'an attempt lasts as long as its step may',
  'networking.ping_timeout': 'it is part of networking.ping_command (-W)',
  'networking.telnet_timeout': 'an attempt lasts as long as its step may',
  'networking.telnet_connect_minwait': 'telnet waits for the first byte, not for a time',
  'networking.telnet_connect_maxwait': 'telnet waits for the first byte, not for a time',
  'monitor.*': 'imaging-monitor has settings of its own',
  'sidecar.*': 'there is no monitoring daemon',
  'plcapi.*': 'that interface is gone; leases.backend says where leases come from',
  'accounts.*': 'accounts are no business of imaging',
};

function define<const S extends Specs>(specs: S): Schema<S>;
function define(specs: Specs): Record<string, KeySpec<unknown>> {
  return Object.fromEntries(
    Object.entries(specs).map(([name, spec]) => {
      const [section = '', key = ''] = name.split('.');
      return [name, { section, key, unit: null, secret: false, ...spec }];
    }),
  );
}
