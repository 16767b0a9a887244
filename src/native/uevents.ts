import { closeSync } from 'node:fs';
import { arenas } from './arena.js';
import { capability } from './capability.js';
import { descriptors } from './descriptors.js';
import type { Library } from './library.js';
import { systemError } from './system-error.js';
import { type DeviceEvent, LOST, parseUevent } from './uevent.js';
import { MSG_DONTWAIT, SOCK_CLOEXEC, SOCK_NONBLOCK, SO_RCVBUF, SOL_SOCKET } from './udp-layout.js';

const AF_NETLINK = 16;
const SOCK_RAW = 3;
const NETLINK_KOBJECT_UEVENT = 15;
/** The kernel's own messages; those of udev are another group. */
const KERNEL_GROUP = 1;
const SOCKADDR_NL_BYTES = 12;
const MESSAGE_BYTES = 8192;
const BUFFER_BYTES = 1 << 20;
const EAGAIN = 11;
const EINTR = 4;
const ENOBUFS = 105;

/** The kernel's messages on devices (netlink), as udev gets them. */
export type Uevents = {
  /** Hands out what happens from now on, until `close`. `onError`: the socket is of no use any more. Throws system errors. */
  listen(onEvent: (event: DeviceEvent) => void, onError: (error: Error) => void): { close(): void };
};

export const uevents = capability<Uevents>(
  {
    name: 'uevents',
    does: 'hears from the kernel what is plugged in and out (netlink)',
    without: '/sys/class/block is looked at twice a second',
  },
  (library) => {
    const kernel = ueventCalls(library);
    closeSync(kernel.open()); // whether it may be had at all
    return {
      listen: (onEvent, onError) => {
        const fd = kernel.open();
        let isOpen = true;
        const watch = library.watch(fd, () => {
          // libuv stops watching after an error, and lost messages are one
          watch.for({ readable: true, writable: false });
          const error = kernel.receiveAll(fd, onEvent, () => isOpen);
          if (error) onError(error);
        });
        return {
          close: () => {
            if (!isOpen) return;
            isOpen = false;
            watch.close();
            closeSync(fd);
          },
        };
      },
    };
  },
);

function ueventCalls(library: Library) {
  const socket = library.func('int socket(int, int, int)');
  const bind = library.func('int bind(int, int64_t, unsigned int)');
  const setsockopt = library.func('int setsockopt(int, int, int, int64_t, unsigned int)');
  const recvfrom = library.func('int64_t recvfrom(int, int64_t, size_t, int, int64_t, int64_t)');
  const known = descriptors(library);
  const memory = arenas(library)(64 + MESSAGE_BYTES);
  const length = memory.address + 16n;
  const message = memory.address + 64n;

  /** struct sockaddr_nl: family, padding, port, groups. */
  const open = (): number => {
    const raw = Number(socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_KOBJECT_UEVENT));
    if (raw < 0) throw systemError(library.errno(), 'socket');
    const fd = known(raw);
    memory.view.setUint32(16, BUFFER_BYTES, true);
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, length, 4);
    memory.bytes.fill(0, 0, SOCKADDR_NL_BYTES);
    memory.view.setUint16(0, AF_NETLINK, true);
    memory.view.setUint32(8, KERNEL_GROUP, true);
    if (bind(fd, memory.address, SOCKADDR_NL_BYTES) === 0) return fd;
    const errno = library.errno();
    closeSync(fd);
    throw systemError(errno, 'bind');
  };

  const receiveAll = (fd: number, onEvent: (event: DeviceEvent) => void, isOpen: () => boolean): Error | null => {
    while (isOpen()) {
      memory.view.setUint32(16, SOCKADDR_NL_BYTES, true);
      const count = Number(recvfrom(fd, message, MESSAGE_BYTES, MSG_DONTWAIT, memory.address, length));
      if (count < 0) {
        const errno = library.errno();
        if (errno === EAGAIN || errno === EINTR) return null;
        if (errno !== ENOBUFS) return systemError(errno, 'recvfrom');
        onEvent(LOST);
        continue;
      }
      // port 0 is the kernel: whoever may, can send messages that look alike
      const event = memory.view.getUint32(4, true) === 0 ? parseUevent(memory.bytes.subarray(64, 64 + count)) : null;
      if (event) onEvent(event);
    }
    return null;
  };
  return { open, receiveAll };
}
