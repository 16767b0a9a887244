type Koffi = Pick<typeof import('koffi'), 'load' | 'node' | 'pointer' | 'proto' | 'register' | 'view'>;
type Handle = number | bigint;

export type Ready = { readable: boolean; writable: boolean };

/** `for` says, each time anew, what is waited for; it is told again and again as long as it is so. */
export type Watch = { for(when: Ready): void; close(): void };

/** Numbers of libuv. */
const UV_POLL = 8;
const UV_READABLE = 1;
const UV_WRITABLE = 2;
/** uv_loop_t begins with data, the number of active handles and a list of handles (next, last); uv_handle_t has its links at 32. */
const LOOP_BYTES = 32;
const LOOP_LAST_HANDLE = 24;
const HANDLE_QUEUE = 32n;

/**
 * Watches descriptors from this thread's event loop: returns what watches one, which nobody else may watch.
 *
 * koffi makes libuv's handles for that, and takes them away with the thread. But the callback that it gives libuv ends the
 * whole process when it is called while its thread is being terminated. One that is registered by itself does nothing then:
 * libuv is told to call that one, as soon as it is found which handle koffi made.
 */
export function watches(koffi: Koffi): (fd: number, onReady: (ready: Ready) => void) => Watch {
  const library = koffi.load(null);
  const walk = library.func('void uv_walk(int64_t, int64_t, int64_t)');
  const typeOf = library.func('int uv_handle_get_type(int64_t)');
  const start = library.func('int uv_poll_start(int64_t, int, int64_t)');
  const fileOf = library.func('int uv_fileno(int64_t, void *)');
  const file = new Int32Array(1);
  const getLoop = library.func('int napi_get_uv_event_loop(int64_t, void *)');
  const loop = new BigUint64Array(1);
  if (getLoop(koffi.node.env, loop) !== 0) throw new Error('Node.js does not tell its event loop');

  const told = new Map<Handle, (status: number, events: number) => void>();
  let made: Handle | null = null;
  const onHandle = koffi.register(
    (handle: Handle) => {
      if (!told.has(handle) && typeOf(handle) === UV_POLL) made = handle;
    },
    koffi.pointer(koffi.proto('void imaging_on_handle(int64_t, int64_t)')),
  );
  const onPoll = koffi.register(
    (handle: Handle, status: number, events: number) => told.get(handle)?.(status, events),
    koffi.pointer(koffi.proto('void imaging_on_poll(int64_t, int, int)')),
  );

  // walking takes a microsecond for each handle there is, so the end of libuv's list is tried first: where uv.h says it is
  const list = new DataView(koffi.view(loop[0], LOOP_BYTES));
  const newest = (fd: number): Handle | null => {
    const handle = list.getBigUint64(LOOP_LAST_HANDLE, true) - HANDLE_QUEUE;
    return typeOf(handle) === UV_POLL && fileOf(handle, file) === 0 && file[0] === fd ? Number(handle) : null;
  };
  const walked = (): Handle | null => {
    made = null;
    walk(loop[0], onHandle, 0);
    return made;
  };

  return (fd, onReady) => {
    const owner = koffi.node.poll(fd, () => undefined);
    const handle = newest(fd) ?? walked();
    if (handle === null) throw new Error('the handle of a descriptor is not found in the event loop');
    const tell = later(onReady);
    const waitFor = ({ readable, writable }: Ready): void =>
      void start(handle, (readable ? UV_READABLE : 0) | (writable ? UV_WRITABLE : 0), onPoll);
    // below 0 is an error: whoever reads is told which
    told.set(handle, (status, events) =>
      tell.soon({ readable: status < 0 || (events & UV_READABLE) !== 0, writable: status < 0 || (events & UV_WRITABLE) !== 0 }),
    );
    waitFor({ readable: true, writable: false });
    return {
      for: waitFor,
      close: () => {
        told.delete(handle);
        tell.never();
        owner.close();
      },
    };
  };
}

/**
 * koffi calls back outside of what Node.js does around callbacks: promises would not go on after it, and errors be lost. So
 * what is ready is only noted, and told in the same turn of the event loop.
 */
function later(onReady: (ready: Ready) => void): { soon(ready: Ready): void; never(): void } {
  let pending: NodeJS.Immediate | null = null;
  let ready: Ready = { readable: false, writable: false };
  const tell = (): void => {
    const now = ready;
    pending = null;
    onReady(now);
  };
  return {
    soon: (now) => {
      ready = now;
      pending ??= setImmediate(tell);
    },
    never: () => {
      if (pending) clearImmediate(pending);
    },
  };
}
