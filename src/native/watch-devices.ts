import { readdir, readFile, readlink } from 'node:fs/promises';
import { setTimeout as wait } from 'node:timers/promises';
import { type DeviceEvent, LOST } from './uevent.js';
import { uevents } from './uevents.js';

/** How often /sys is looked at where the kernel does not tell by itself. */
const LOOK_MS = 500;
/** Most events that wait to be asked for. */
const MAX_WAITING = 10_000;

/** What to listen to. */
export type WatchOptions = { signal: AbortSignal; lookMs?: number };

/** Block devices of this machine as they come, go and change. */
export type DeviceWatch = {
  how: 'uevents' | 'looking';
  /** What happened since `watchBlockDevices` resolved; it ends when the signal aborts. Throws the system error that ended it. */
  events: AsyncIterable<DeviceEvent>;
};

/**
 * Begins to listen. By looking, `change` is told for another size, medium or write protection only, several changes between two
 * looks are one, and a device that came and went in between is not told at all.
 */
export async function watchBlockDevices({ signal, lookMs = LOOK_MS }: WatchOptions): Promise<DeviceWatch> {
  const kernel = await uevents.get();
  if (!kernel) return { how: 'looking', events: looking(await blockDevicesNow(), lookMs, signal) };
  const queue = new EventQueue();
  const listening = kernel.listen(
    (event) => void ((event.subsystem === 'block' || event.action === 'lost') && queue.push(event)),
    (error) => queue.end(error),
  );
  const stop = (): void => {
    listening.close();
    queue.end();
  };
  if (signal.aborted) stop();
  else signal.addEventListener('abort', stop, { once: true });
  return { how: 'uevents', events: queue };
}

class EventQueue implements AsyncIterable<DeviceEvent> {
  readonly #events: DeviceEvent[] = [];
  #hasEnded = false;
  #error: Error | undefined;
  #wake = (): void => undefined;

  /** Nobody needs the old ones of so many: everything has to be looked at anew. */
  push(event: DeviceEvent): void {
    if (this.#events.length >= MAX_WAITING) this.#events.splice(0, Infinity, LOST);
    this.#events.push(event);
    this.#wake();
  }

  end(error?: Error): void {
    this.#hasEnded = true;
    this.#error ??= error;
    this.#wake();
  }

  async *[Symbol.asyncIterator](): AsyncIterator<DeviceEvent> {
    for (;;) {
      const event = this.#events.shift();
      if (event) yield event;
      else if (this.#error) throw this.#error;
      else if (this.#hasEnded) return;
      else await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }
}

/** A device's path below /sys, and what of it shows that it changed. */
type Seen = { path: string; state: string };

async function* looking(before: ReadonlyMap<string, Seen>, lookMs: number, signal: AbortSignal): AsyncGenerator<DeviceEvent> {
  for (let known = before; ; ) {
    await wait(lookMs, undefined, { signal }).catch(() => undefined);
    if (signal.aborted) return;
    const now = await blockDevicesNow();
    for (const [name, { path }] of known) if (!now.has(name)) yield eventOf('remove', name, path);
    for (const [name, { path, state }] of now) {
      const old = known.get(name);
      if (!old) yield eventOf('add', name, path);
      else if (old.state !== state) yield eventOf('change', name, path);
    }
    known = now;
  }
}

async function blockDevicesNow(): Promise<Map<string, Seen>> {
  const folder = '/sys/class/block';
  const seen = new Map<string, Seen>();
  for (const name of (await readdir(folder)).sort()) {
    const read = (file: string): Promise<string> => readFile(`${folder}/${name}/${file}`, 'latin1').catch(() => '');
    try {
      const path = (await readlink(`${folder}/${name}`)).replace(/^(\.\.\/)+/, '/');
      // another medium has another sequence number (Linux 5.15), and nearly always another size
      seen.set(name, { path, state: `${await read('size')}${await read('ro')}${await read('diskseq')}` });
    } catch {
      // it went meanwhile
    }
  }
  return seen;
}

function eventOf(action: string, name: string, path: string): DeviceEvent {
  const properties = new Map([
    ['ACTION', action],
    ['DEVPATH', path],
    ['SUBSYSTEM', 'block'],
    ['DEVNAME', name],
  ]);
  return { action, path, subsystem: 'block', name, properties };
}
