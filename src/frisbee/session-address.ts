/** Where a session takes place, and from which of our addresses we take part in it. */
export type SessionAddress = {
  /** Destination of all data and requests: usually a multicast group; a broadcast or a single peer's address works too. */
  group: string;
  port: number;
  /** Our own IPv4 address, the one datagrams leave from. */
  localIp: string;
  /**
   * Server and clients share one machine, each with its own 127.x address: for emulated testbeds. Off, the socket binds
   * 0.0.0.0:port for itself alone, as the real programs do, and nothing of the session loops back to this machine.
   */
  loopback: boolean;
  /** Socket buffers to ask the kernel for, in bytes; it may grant less (net.core.rmem_max). Default: 1 MiB. */
  bufferBytes?: number;
};

/** Where a datagram came from, by the IP header. */
export type Origin = { address: string; port: number };
