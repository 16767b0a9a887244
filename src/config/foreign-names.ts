/** Later names of a key (rhubarbe's): the value counts, with a warning, one for all of a file. */
export const renamedKeys: Readonly<Record<string, string>> = {
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
