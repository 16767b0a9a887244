import type { Arena } from './arena.js';
import type { NativeCall } from './library.js';
import {
  CMSG,
  IOVEC_BYTES,
  MAX_SEGMENTS,
  MAX_SEND_BYTES,
  MMSGHDR_BYTES,
  MSG_DONTWAIT,
  SOCKADDR_BYTES,
  SOL_UDP,
  UDP_SEGMENT,
  writeIovec,
  writeMsghdr,
  writeSockaddr,
} from './udp-layout.js';

/** What `EIO`, `EINVAL`, `EOPNOTSUPP`, `ENOPROTOOPT` and `EMSGSIZE` are: the kernel, or the interface, does not cut datagrams. */
const CANNOT_CUT = new Set([5, 22, 95, 92, 90]);
const EINVAL = 22;
const EAGAIN = 11;
const SEGMENT_CONTROL_BYTES = 24;

/** How many datagrams of a size fit into one send. */
export const segmentsInSend = (sizeBytes: number): number => Math.min(MAX_SEGMENTS, Math.floor(MAX_SEND_BYTES / sizeBytes));

export type BatchCalls = { sendmsg: NativeCall; sendmmsg: NativeCall; errno: () => number; arena: (sizeBytes: number) => Arena };

/**
 * Datagrams of one size, side by side in memory, that leave in one send which the kernel (or the network card) cuts; one by
 * one, in a single call still, where it refuses. On the wire both are the same.
 */
export class SegmentedBatch {
  readonly datagrams: readonly Buffer[];
  readonly #calls: BatchCalls;
  readonly #fd: number;
  readonly #arena: Arena;
  readonly #sizeBytes: number;
  /** Where the name, the control data, then iovecs and headers of single datagrams lie. */
  readonly #name: number;
  readonly #control: number;
  readonly #iovecs: number;
  readonly #headers: number;
  /** The errno with which a segmented send was refused; 0: none was. */
  refusedWith = 0;
  /** Datagrams of the present batch that have left one by one. */
  #left = 0;

  constructor(calls: BatchCalls, fd: number, count: number, sizeBytes: number) {
    if (count > segmentsInSend(sizeBytes)) throw new RangeError(`${count} datagrams of ${sizeBytes} bytes do not fit into one send`);
    this.#calls = calls;
    this.#fd = fd;
    this.#sizeBytes = sizeBytes;
    this.#name = Math.ceil((count * sizeBytes) / 64) * 64;
    this.#control = this.#name + SOCKADDR_BYTES;
    this.#iovecs = this.#control + SEGMENT_CONTROL_BYTES + 8;
    this.#headers = this.#iovecs + (count + 1) * IOVEC_BYTES;
    this.#arena = calls.arena(this.#headers + (count + 1) * MMSGHDR_BYTES);
    this.datagrams = Array.from({ length: count }, (_, i) => this.#arena.bytes.subarray(i * sizeBytes, (i + 1) * sizeBytes));
    this.#layOut(count);
    if (sizeBytes === 0) this.refusedWith = EINVAL; // nothing that could be cut
  }

  #layOut(count: number): void {
    const { view, address } = this.#arena;
    const at = (offset: number): bigint => address + BigInt(offset);
    view.setUint32(this.#control + CMSG.bytes, CMSG.data + 2, true);
    view.setInt32(this.#control + CMSG.level, SOL_UDP, true);
    view.setInt32(this.#control + CMSG.type, UDP_SEGMENT, true);
    view.setUint16(this.#control + CMSG.data, this.#sizeBytes, true);
    // the first header is that of the segmented send, the others are those of single datagrams
    for (let i = 0; i <= count; i++) {
      const iovec = this.#iovecs + i * IOVEC_BYTES;
      writeIovec(view, iovec, at(i === 0 ? 0 : (i - 1) * this.#sizeBytes), this.#sizeBytes);
      writeMsghdr(view, this.#headers + i * MMSGHDR_BYTES, {
        name: at(this.#name),
        iovec: at(iovec),
        control: at(this.#control),
        controlBytes: i === 0 ? SEGMENT_CONTROL_BYTES : 0,
      });
    }
  }

  /**
   * Sends the first `count` datagrams to a peer, its address as a number. Returns 0, or the errno: call again with the same
   * arguments to send what has not left.
   */
  send(count: number, address: number, port: number): number {
    const { view } = this.#arena;
    writeSockaddr(view, this.#name, address, port);
    if (this.refusedWith !== 0) return this.#sendSingly(count);
    view.setUint32(this.#iovecs + 8, count * this.#sizeBytes, true);
    if (this.#calls.sendmsg(this.#fd, this.#arena.address + BigInt(this.#headers), MSG_DONTWAIT) >= 0) return 0;
    const errno = this.#calls.errno();
    if (!CANNOT_CUT.has(errno)) return errno;
    this.refusedWith = errno;
    return this.#sendSingly(count);
  }

  #sendSingly(count: number): number {
    while (this.#left < count) {
      const header = this.#arena.address + BigInt(this.#headers + (1 + this.#left) * MMSGHDR_BYTES);
      const sent = Number(this.#calls.sendmmsg(this.#fd, header, count - this.#left, MSG_DONTWAIT));
      if (sent < 0) return this.#calls.errno();
      if (sent === 0) return EAGAIN;
      this.#left += sent;
    }
    this.#left = 0;
    return 0;
  }

  /** Nothing is sent any more; the datagrams must not be touched either. */
  release(): void {
    this.#arena.release();
  }
}
