/** Numbers and layouts of Linux that sockets are told things in; all little-endian, pointers of 64 bits. */
export const AF_INET = 2;
export const SOCK_DGRAM = 2;
export const SOCK_NONBLOCK = 0x800;
export const SOCK_CLOEXEC = 0x80000;
export const MSG_DONTWAIT = 0x40;

export const SOL_SOCKET = 1;
export const SO_REUSEADDR = 2;
export const SO_BROADCAST = 6;
export const SO_SNDBUF = 7;
export const SO_RCVBUF = 8;
export const SO_RCVBUFFORCE = 33;
export const SO_RXQ_OVFL = 40;

export const IPPROTO_IP = 0;
export const IP_MULTICAST_IF = 32;
export const IP_MULTICAST_TTL = 33;
export const IP_MULTICAST_LOOP = 34;
export const IP_ADD_MEMBERSHIP = 35;
export const IP_DROP_MEMBERSHIP = 36;

export const SOL_UDP = 17;
export const UDP_SEGMENT = 103;
export const UDP_GRO = 104;

/** The most that one send may be cut into, and its most bytes. */
export const MAX_SEGMENTS = 64;
export const MAX_SEND_BYTES = 65_507;

export const SOCKADDR_BYTES = 16;
export const IOVEC_BYTES = 16;
/** struct mmsghdr: a struct msghdr of 56 bytes, then how much came or went. */
export const MMSGHDR_BYTES = 64;
export const MMSGHDR = { name: 0, nameBytes: 8, iovec: 16, iovecs: 24, control: 32, controlBytes: 40, length: 56 } as const;
/** struct cmsghdr, and where its data begin; lengths are rounded up to 8. */
export const CMSG = { bytes: 0, level: 8, type: 12, data: 16 } as const;

/** Writes a struct sockaddr_in; `address` as a number, 10.0.0.1 being 0x0a000001. */
export function writeSockaddr(view: DataView, offset: number, address: number, port: number): void {
  view.setUint16(offset, AF_INET, true);
  view.setUint16(offset + 2, port);
  view.setUint32(offset + 4, address);
}

/** Writes a struct iovec. */
export function writeIovec(view: DataView, offset: number, address: bigint, sizeBytes: number): void {
  view.setBigUint64(offset, address, true);
  view.setUint32(offset + 8, sizeBytes, true);
  view.setUint32(offset + 12, 0, true);
}

/** Writes a struct msghdr with one iovec; no control data when `controlBytes` is 0. */
export function writeMsghdr(
  view: DataView,
  offset: number,
  { name, iovec, control, controlBytes }: { name: bigint; iovec: bigint; control: bigint; controlBytes: number },
): void {
  view.setBigUint64(offset + MMSGHDR.name, name, true);
  view.setUint32(offset + MMSGHDR.nameBytes, SOCKADDR_BYTES, true);
  view.setBigUint64(offset + MMSGHDR.iovec, iovec, true);
  view.setUint32(offset + MMSGHDR.iovecs, 1, true);
  view.setBigUint64(offset + MMSGHDR.control, controlBytes > 0 ? control : 0n, true);
  view.setUint32(offset + MMSGHDR.controlBytes, controlBytes, true);
}
