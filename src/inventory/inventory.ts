/** One network interface of a slot. `mac` is lower case, with colons. */
export type Interface = { hostname: string; ip: string; mac: string };

/** One slot of the testbed. Connect to `ip`, never to the host name: gateways need not resolve it. */
export type InventoryNode = {
  /** The number in the control host name: 7 for fit07. */
  number: number;
  /** The control host name: fit07. */
  name: string;
  /** The card that drives power and reset (reboot07). */
  cmc: Interface;
  /** What PXE, telnet, ssh and frisbee go through (fit07). */
  control: Interface;
  /** A second interface that imaging does not use (data07). */
  data: Interface | null;
};

/** The testbed's slots and how to find one. */
export class Inventory {
  /** The file it was read from. */
  readonly path: string;
  /** By number, ascending. */
  readonly nodes: readonly InventoryNode[];
  /** The node numbers it holds, for `checkKnown`. */
  readonly numbers: ReadonlySet<number>;
  readonly #byNumber: ReadonlyMap<number, InventoryNode>;
  readonly #byControlIp: ReadonlyMap<string, InventoryNode>;
  readonly #first: InventoryNode;

  /** @param nodes valid and without duplicates, in the file's order, at least one: see `parseInventory` */
  constructor(path: string, nodes: readonly [InventoryNode, ...InventoryNode[]]) {
    this.path = path;
    this.nodes = [...nodes].sort((a, b) => a.number - b.number);
    this.#first = nodes[0];
    this.#byNumber = new Map(nodes.map((node) => [node.number, node]));
    this.#byControlIp = new Map(nodes.map((node) => [node.control.ip, node]));
    this.numbers = new Set(this.#byNumber.keys());
  }

  byNumber(number: number): InventoryNode | undefined {
    return this.#byNumber.get(number);
  }

  /** The node whose control interface has this IPv4 address. */
  byControlIp(ip: string): InventoryNode | undefined {
    return this.#byControlIp.get(ip);
  }

  /** The control address of the file's first entry: the network that the gateway's own control address is guessed from. */
  get firstControlIp(): string {
    return this.#first.control.ip;
  }
}
