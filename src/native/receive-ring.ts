import type { Arena } from './arena.js';
import { numberToIp } from '../util/ipv4.js';
import type { DatagramHandler, DatagramOrigin } from './udp-socket.js';
import {
  CMSG,
  IOVEC_BYTES,
  MMSGHDR,
  MMSGHDR_BYTES,
  SO_RXQ_OVFL,
  SOCKADDR_BYTES,
  SOL_SOCKET,
  SOL_UDP,
  UDP_GRO,
  writeIovec,
  writeMsghdr,
} from './udp-layout.js';

/** Deliveries taken at one time: each of up to 64 KiB, one datagram or many of one size. */
export const RING_SLOTS = 16;
const SLOT_BYTES = 65_536;
const CONTROL_BYTES = 64;
const IOVECS = RING_SLOTS * MMSGHDR_BYTES;
const NAMES = IOVECS + RING_SLOTS * IOVEC_BYTES;
const CONTROLS = NAMES + RING_SLOTS * SOCKADDR_BYTES;
const SLOTS = 4096;
export const RING_BYTES = SLOTS + RING_SLOTS * SLOT_BYTES;
/** Peers whose addresses are kept as text. */
const MAX_ORIGINS = 4096;

/** What `recvmmsg` fills, and what it filled it with. The bytes of a datagram are those of the ring: whoever wants to keep them copies. */
export class ReceiveRing {
  readonly address: bigint;
  readonly #bytes: Buffer;
  readonly #view: DataView;
  readonly #origins = new Map<number, DatagramOrigin>();
  /** Buffers over the datagrams of a delivery, for the size that came last. */
  #segmentBytes = 0;
  #segments: Buffer[][] = [];
  /** Datagrams that the socket of the last delivery lost for want of room, since it was opened; null: it did not say. */
  lost: number | null = null;
  /** Slots that the kernel filled last. */
  filled = RING_SLOTS;

  constructor({ address, bytes, view }: Arena) {
    this.address = address;
    this.#bytes = bytes;
    this.#view = view;
    for (let slot = 0; slot < RING_SLOTS; slot++) {
      const at = (table: number, size: number): bigint => address + BigInt(table + slot * size);
      writeIovec(view, IOVECS + slot * IOVEC_BYTES, at(SLOTS, SLOT_BYTES), SLOT_BYTES);
      writeMsghdr(view, slot * MMSGHDR_BYTES, {
        name: at(NAMES, SOCKADDR_BYTES),
        iovec: at(IOVECS, IOVEC_BYTES),
        control: at(CONTROLS, CONTROL_BYTES),
        controlBytes: CONTROL_BYTES,
      });
    }
  }

  /** Says anew what the kernel overwrote: how much it may write. To be called before it fills slots again. */
  makeReady(): void {
    for (let slot = 0; slot < this.filled; slot++) {
      const header = slot * MMSGHDR_BYTES;
      this.#view.setUint32(header + MMSGHDR.nameBytes, SOCKADDR_BYTES, true);
      this.#view.setUint32(header + MMSGHDR.controlBytes, CONTROL_BYTES, true);
    }
  }

  /** Hands out the datagrams of a delivery; returns how many there were. */
  take(slot: number, onDatagram: DatagramHandler): number {
    const header = slot * MMSGHDR_BYTES;
    const sizeBytes = this.#view.getUint32(header + MMSGHDR.length, true);
    const segmentBytes = this.#control(slot) || sizeBytes;
    const from = this.#origin(NAMES + slot * SOCKADDR_BYTES);
    if (sizeBytes === 0) {
      onDatagram(this.#bytes.subarray(0, 0), from);
      return 1;
    }
    const start = SLOTS + slot * SLOT_BYTES;
    let count = 0;
    for (let done = 0; done < sizeBytes; done += segmentBytes) {
      const isWhole = done + segmentBytes <= sizeBytes;
      onDatagram(isWhole ? this.#segment(slot, count, segmentBytes) : this.#bytes.subarray(start + done, start + sizeBytes), from);
      count++;
    }
    return count;
  }

  /** The size that the kernel put datagrams of together, 0 when it did not; notes losses. */
  #control(slot: number): number {
    const view = this.#view;
    let segmentBytes = 0;
    this.lost = null;
    const start = CONTROLS + slot * CONTROL_BYTES;
    const end = start + view.getUint32(slot * MMSGHDR_BYTES + MMSGHDR.controlBytes, true);
    for (let at = start; at + CMSG.data < end; ) {
      const bytes = view.getUint32(at + CMSG.bytes, true);
      const level = view.getInt32(at + CMSG.level, true);
      const type = view.getInt32(at + CMSG.type, true);
      if (level === SOL_UDP && type === UDP_GRO) segmentBytes = view.getInt32(at + CMSG.data, true);
      else if (level === SOL_SOCKET && type === SO_RXQ_OVFL) this.lost = view.getUint32(at + CMSG.data, true);
      if (bytes < CMSG.data) break;
      at += (bytes + 7) & ~7;
    }
    return segmentBytes;
  }

  #segment(slot: number, index: number, segmentBytes: number): Buffer {
    if (segmentBytes !== this.#segmentBytes) {
      this.#segmentBytes = segmentBytes;
      this.#segments = Array.from({ length: RING_SLOTS }, () => []);
    }
    const start = SLOTS + slot * SLOT_BYTES + index * segmentBytes;
    return (this.#segments[slot]![index] ??= this.#bytes.subarray(start, start + segmentBytes));
  }

  #origin(at: number): DatagramOrigin {
    const port = this.#view.getUint16(at + 2);
    const address = this.#view.getUint32(at + 4);
    const key = address * 65_536 + port;
    const known = this.#origins.get(key);
    if (known) return known;
    if (this.#origins.size >= MAX_ORIGINS) this.#origins.clear();
    const origin = { address: numberToIp(address), port };
    this.#origins.set(key, origin);
    return origin;
  }
}
