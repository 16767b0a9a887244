import { readFileSync } from 'node:fs';
import { messageOf } from '../util/errors.js';
import { type Watch, type Ready, watches } from './watch.js';

type Koffi = typeof import('koffi')['default'];

/**
 * What C functions get and return. Addresses are bigints; lengths may be either. Bytes are passed where they lie, by their
 * address, which holds for the call alone.
 */
export type NativeCall = (...args: (number | bigint | string | Uint8Array | null)[]) => number | bigint;

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
  let watch: Library['watch'] | null = null;
  const func = functionsOf(null);
  keepMapped(func);
  return {
    func,
    errno: () => koffi.errno(),
    view: (address, sizeBytes) => koffi.view(address, sizeBytes),
    watch: (...how) => (watch ??= watches(koffi))(...how),
    open: (name) => ({ func: functionsOf(name) }),
  };
}

const RTLD_NOW = 2;
const RTLD_NODELETE = 0x1000;

/**
 * Node.js unloads a thread's libraries when the thread ends, or the process does, and libuv has still to call koffi's to close
 * what it watched: a crash. So it stays for as long as the process does.
 */
function keepMapped(func: Library['func']): void {
  const [, path] = /\s(\/.*koffi[^/]*\.node)$/m.exec(readFileSync('/proc/self/maps', 'utf8')) ?? [];
  if (path === undefined) throw new Error('the library for calls to C is not found in /proc/self/maps');
  if (BigInt(func('int64_t dlopen(const char *, int)')(path, RTLD_NOW | RTLD_NODELETE)) === 0n) throw new Error(`${path} cannot be kept`);
}
