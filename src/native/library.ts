import { messageOf } from '../util/errors.js';

type Koffi = Pick<typeof import('koffi'), 'load' | 'errno' | 'view' | 'node'>;

/** What C functions get and return. Addresses are bigints; lengths may be either. */
export type NativeCall = (...args: (number | bigint | string | null)[]) => number | bigint;

export type Ready = { readable: boolean; writable: boolean };

/** `for` says, each time anew, what is waited for; it is told again and again as long as it is so. */
export type Watch = { for(when: Ready): void; close(): void };

/** The C library of this process, and what reads and watches for it. */
export type Library = {
  /** A function by its C prototype. Throws when there is none of that name. */
  func(prototype: string): NativeCall;
  /** The number of the last call's error, 0 or more. */
  errno(): number;
  /** An ArrayBuffer over `sizeBytes` bytes at `address`, which must stay mapped as long as anybody looks at it. */
  view(address: bigint, sizeBytes: number): ArrayBuffer;
  /** Watches a descriptor from this thread's event loop: one watch for each. */
  watch(fd: number, onReady: (ready: Ready) => void): Watch;
  /** Another library, by its path or the name that the loader knows it by. Throws when it is not there. */
  open(name: string): Pick<Library, 'func'>;
};

let loading: Promise<Library> | null = null;

/** Loads the door to system calls, once in each thread. Rejects with the reason why there is none here. */
export function loadLibrary(): Promise<Library> {
  loading ??= load();
  return loading;
}

async function load(): Promise<Library> {
  if (process.platform !== 'linux') throw new Error(`system calls are made on Linux only, this is ${process.platform}`);
  const endianness = new Uint8Array(new Uint16Array([1]).buffer)[0];
  if (!['x64', 'arm64'].includes(process.arch) || endianness !== 1)
    throw new Error(`the layout of the kernel's structures on ${process.arch} is not known`);
  let koffi: Koffi;
  try {
    ({ default: koffi } = await import('koffi'));
  } catch (error) {
    throw new Error(`no library for calls to C on ${process.platform}-${process.arch}: ${messageOf(error)}`, { cause: error });
  }
  const functionsOf = (name: string | null): Library['func'] => {
    const library = koffi.load(name);
    // koffi's functions take and return any; what they are called with is ours to keep
    return (prototype) => library.func(prototype) as NativeCall;
  };
  return {
    func: functionsOf(null),
    errno: () => koffi.errno(),
    view: (address, sizeBytes) => koffi.view(address, sizeBytes),
    watch: (fd, onReady) => watchOf(koffi, fd, onReady),
    open: (name) => ({ func: functionsOf(name) }),
  };
}

/**
 * koffi calls back outside of what Node.js does around callbacks: promises would not go on after it, and errors be lost. So
 * the callback only notes what is ready, and the same turn of the event loop tells it.
 */
function watchOf(koffi: Koffi, fd: number, onReady: (ready: Ready) => void): Watch {
  let pending: NodeJS.Immediate | null = null;
  let ready: Ready = { readable: false, writable: false };
  const tell = (): void => {
    const told = ready;
    pending = null;
    onReady(told);
  };
  // koffi's types leave out what its code does: the status comes first, below 0 for an error. Reading tells which error
  const onEvent = ((status: number, events: Ready) => {
    ready = status < 0 ? { readable: true, writable: true } : events;
    pending ??= setImmediate(tell);
  }) as unknown as (events: Ready) => void;
  const handle = koffi.node.poll(fd, { readable: true }, onEvent);
  return {
    for: (when) => handle.start(when, onEvent),
    close: () => {
      if (pending) clearImmediate(pending);
      handle.close();
    },
  };
}
