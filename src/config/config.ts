import type { MulticastSlot, PortPattern } from './patterns.js';
import { type KeySpec, schema } from './schema.js';

/** The whole configuration, typed. Times are milliseconds; paths are absolute; null says that a key is empty. */
export type Config = {
  readonly permissions: { readonly leasesServer: string; readonly leasesPort: number };
  readonly leases: {
    readonly backend: 'none' | 'local' | 'omf' | 'r2labapi';
    readonly file: string;
    /** Null: the backend's usual place. */
    readonly url: string | null;
    readonly resourceName: string;
    readonly token: string | null;
    readonly email: string | null;
    readonly password: string | null;
    readonly privileged: readonly string[];
    readonly timeoutMs: number;
    readonly verifyTls: boolean;
  };
  readonly testbed: {
    readonly regularName: string;
    readonly rebootName: string;
    readonly inventoryPath: string;
    readonly allScope: string | null;
  };
  readonly nodes: {
    readonly idleAfterResetMs: number;
    readonly timeoutBeforeTelnetMs: number;
    readonly timeoutBeforeSshMs: number;
    readonly statusTimeoutMs: number;
    readonly stallTimeoutMs: number;
    readonly loadTimeoutMs: number;
    readonly passes: number;
    readonly retryPauseMs: number;
    /** Null: all at once. */
    readonly bootWindow: { readonly nodes: number; readonly perMs: number } | null;
    readonly saveTimeoutMs: number;
    readonly waitTimeoutMs: number;
    /** 0: never. */
    readonly quarantineAfter: number;
  };
  readonly pxelinux: { readonly configDir: string; readonly frisbeeImage: string };
  readonly frisbee: {
    readonly engine: 'embedded' | 'frisbeed';
    readonly server: string;
    readonly serverOptions: readonly string[];
    readonly client: string;
    readonly imagezip: string;
    readonly netcat: string;
    readonly hardDrive: string;
    /** Null: nodes get no stamp. */
    readonly rootPartition: string | null;
    readonly mountPoint: string;
    readonly imagesDir: string;
    readonly defaultImage: string;
    readonly verify: 'sample' | 'full' | 'none';
    /** Decimal. */
    readonly largestDiskGb: number;
    readonly clearEnd: boolean;
  };
  readonly networking: {
    readonly cmcPort: number;
    readonly telnetPort: number;
    readonly sshPort: number;
    readonly telnetBackoffMs: number;
    readonly sshBackoffMs: number;
    /** Program and arguments; `{ip}` in any argument stands for the node's address. Null: no ping. */
    readonly pingCommand: readonly string[] | null;
    /** Where loads may send, slot 1 first: from pattern_multicast, pattern_port and pattern_size. */
    readonly slots: readonly MulticastSlot[];
    /** Mibit (2^20 bits) per second. */
    readonly bandwidthMibps: number;
    /** Null: to be guessed from the interfaces. */
    readonly localControlIp: string | null;
    readonly multicastLoop: boolean;
  };
  readonly monitor: { readonly cycleMs: number; readonly loginCycleMs: number; readonly listenNames: readonly string[] };
  readonly runs: {
    /** Null: to be chosen, see `runsDir`. */
    readonly dir: string | null;
    readonly keep: number;
    /** 0: for ever. */
    readonly keepDays: number;
    readonly prometheusFile: string | null;
  };
  /** Node specs by the name of the group, which is in lower case; their grammar is checked where they are used. */
  readonly groups: ReadonlyMap<string, string>;
  /** What differs for single nodes; where several hold for a node, the last one that has a key counts. */
  readonly overrides: readonly NodeOverride[];
};

/** The section `[node SPECS]`: what it does not say is undefined. */
export type NodeOverride = {
  readonly specs: string;
  readonly bandwidthMibps: number | undefined;
  readonly hardDrive: string | undefined;
  readonly idleAfterResetMs: number | undefined;
  readonly timeoutBeforeTelnetMs: number | undefined;
  readonly timeoutBeforeSshMs: number | undefined;
  readonly stallTimeoutMs: number | undefined;
  readonly loadTimeoutMs: number | undefined;
};

/** Fills in a `NodeOverride`. `read` gives undefined for a key that the section does not have. */
export function buildOverride(specs: string, read: <T>(spec: KeySpec<T>) => T | undefined): NodeOverride {
  return {
    specs,
    bandwidthMibps: read(schema['networking.bandwidth']),
    hardDrive: read(schema['frisbee.hard_drive']),
    idleAfterResetMs: read(schema['nodes.idle_after_reset']),
    timeoutBeforeTelnetMs: read(schema['nodes.timeout_before_telnet']),
    timeoutBeforeSshMs: read(schema['nodes.timeout_before_ssh']),
    stallTimeoutMs: read(schema['nodes.stall_timeout']),
    loadTimeoutMs: read(schema['nodes.load_default_timeout']),
  };
}

/** Gives the typed value of a key. */
export type Read = <T>(spec: KeySpec<T>) => T;
/** Gives the slots of the three pattern keys. */
export type MakeSlots = (groupPattern: string, portPattern: PortPattern, size: number) => readonly MulticastSlot[];

/** Fills in a `Config`, key by key. */
export function buildConfig(
  read: Read,
  makeSlots: MakeSlots,
  groups: ReadonlyMap<string, string>,
  overrides: readonly NodeOverride[],
): Config {
  return {
    permissions: { leasesServer: read(schema['permissions.leases_server']), leasesPort: read(schema['permissions.leases_port']) },
    leases: {
      backend: read(schema['leases.backend']),
      file: read(schema['leases.file']),
      url: read(schema['leases.url']),
      resourceName: read(schema['leases.resource_name']),
      token: read(schema['leases.token']),
      email: read(schema['leases.email']),
      password: read(schema['leases.password']),
      privileged: read(schema['leases.privileged']),
      timeoutMs: read(schema['leases.timeout']),
      verifyTls: read(schema['leases.verify_tls']),
    },
    testbed: {
      regularName: read(schema['testbed.regularname']),
      rebootName: read(schema['testbed.rebootname']),
      inventoryPath: read(schema['testbed.inventory_path']),
      allScope: read(schema['testbed.all_scope']),
    },
    nodes: {
      idleAfterResetMs: read(schema['nodes.idle_after_reset']),
      timeoutBeforeTelnetMs: read(schema['nodes.timeout_before_telnet']),
      timeoutBeforeSshMs: read(schema['nodes.timeout_before_ssh']),
      statusTimeoutMs: read(schema['nodes.status_default_timeout']),
      stallTimeoutMs: read(schema['nodes.stall_timeout']),
      loadTimeoutMs: read(schema['nodes.load_default_timeout']),
      passes: read(schema['nodes.passes']),
      retryPauseMs: read(schema['nodes.retry_pause']),
      bootWindow: read(schema['nodes.boot_window']),
      saveTimeoutMs: read(schema['nodes.save_default_timeout']),
      waitTimeoutMs: read(schema['nodes.wait_default_timeout']),
      quarantineAfter: read(schema['nodes.quarantine_after']),
    },
    pxelinux: { configDir: read(schema['pxelinux.config_dir']), frisbeeImage: read(schema['pxelinux.frisbee_image']) },
    frisbee: {
      engine: read(schema['frisbee.engine']),
      server: read(schema['frisbee.server']),
      serverOptions: read(schema['frisbee.server_options']),
      client: read(schema['frisbee.client']),
      imagezip: read(schema['frisbee.imagezip']),
      netcat: read(schema['frisbee.netcat']),
      hardDrive: read(schema['frisbee.hard_drive']),
      rootPartition: read(schema['frisbee.root_partition']),
      mountPoint: read(schema['frisbee.mount_point']),
      imagesDir: read(schema['frisbee.images_dir']),
      defaultImage: read(schema['frisbee.default_image']),
      verify: read(schema['frisbee.verify']),
      largestDiskGb: read(schema['frisbee.largest_disk']),
      clearEnd: read(schema['frisbee.clear_end']),
    },
    networking: {
      cmcPort: read(schema['networking.cmc_port']),
      telnetPort: read(schema['networking.telnet_port']),
      sshPort: read(schema['networking.ssh_port']),
      telnetBackoffMs: read(schema['networking.telnet_backoff']),
      sshBackoffMs: read(schema['networking.ssh_backoff']),
      pingCommand: read(schema['networking.ping_command']),
      slots: makeSlots(
        read(schema['networking.pattern_multicast']),
        read(schema['networking.pattern_port']),
        read(schema['networking.pattern_size']),
      ),
      bandwidthMibps: read(schema['networking.bandwidth']),
      localControlIp: read(schema['networking.local_control_ip']),
      multicastLoop: read(schema['networking.multicast_loop']),
    },
    monitor: {
      cycleMs: read(schema['monitor.cycle']),
      loginCycleMs: read(schema['monitor.login_cycle']),
      listenNames: read(schema['monitor.listen_names']),
    },
    runs: {
      dir: read(schema['runs.dir']),
      keep: read(schema['runs.keep']),
      keepDays: read(schema['runs.keep_days']),
      prometheusFile: read(schema['runs.prometheus_file']),
    },
    groups,
    overrides,
  };
}
