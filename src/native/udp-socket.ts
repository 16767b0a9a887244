export type UdpSocketOptions = {
  /** Where to bind. */
  address: string;
  port: number;
  /** Others of this machine may bind the same (SO_REUSEADDR). */
  shared: boolean;
  /** Bytes of each buffer to ask the kernel for; it may grant less. */
  bufferBytes: number;
  /** So many bytes at the front of each datagram are its head; what follows is its body. */
  headBytes: number;
  /** Milliseconds on a clock that never jumps. */
  clock: () => number;
};

/** Where a datagram came from, by the IP header. */
export type DatagramOrigin = { address: string; port: number };

/** Gets a datagram, who sent it, when it was taken from the kernel, and its body. The bytes are good until the call returns. */
export type DatagramHandler = (bytes: Buffer, from: DatagramOrigin, at: number, body: Uint8Array) => void;

/** Gets the error, if any. It may be called before the call that it was given to returns. */
export type SendDone = (error: Error | null) => void;

/** A UDP socket, read and written in batches or, where that is off, one by one. Methods throw system errors. */
export type UdpSocket = {
  /** Bytes of buffer that the kernel granted. */
  readonly receiveBufferBytes: number;
  readonly sendBufferBytes: number;
  /** Datagrams that found no room in the buffer, as far as is known: it shows with the next one that does. */
  readonly lost: number;
  setBroadcast(): void;
  /** How multicast datagrams leave: how many routers they may pass, whether this machine hears them, by which interface. */
  setMulticast(how: { ttl: number; loopback: boolean; localIp: string }): void;
  addMembership(group: string, localIp: string): void;
  dropMembership(group: string, localIp: string): void;
  /** Sends one datagram; a full kernel is waited for. The bytes must not change until `done`, or until that of a later datagram: they leave in order. */
  send(bytes: Uint8Array, address: string, port: number, done?: SendDone): void;
  /** Memory for up to `count` datagrams of one size that leave together; at most MAX_SEGMENTS, and 65,507 bytes. */
  batch(count: number, sizeBytes: number): DatagramBatch;
  /**
   * Closes it: what waits to be sent is given up (ECANCELED), its handlers are not called any more, and memory that it gave
   * out must not be touched. May be called again.
   */
  close(): Promise<void>;
};

export type DatagramBatch = {
  readonly datagrams: readonly Buffer[];
  /** Sends the first `count` of them. They must not change until `done`; a full kernel is waited for. */
  send(count: number, address: string, port: number, done: SendDone): void;
};
