import { closeSync, constants, existsSync, fstatSync, fsync, fsyncSync, openSync, type Stats } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** Where Linux shows our open descriptors as paths; elsewhere names are looked up by the folder's path each time. */
const DESCRIPTORS = existsSync('/proc/self/fd') ? '/proc/self/fd' : null;

/** The syncs of folders, by device and inode, that have begun, and those that have not. */
const running = new Map<string, Promise<void>>();
const waiting = new Map<string, Promise<void>>();

/**
 * A folder held open by its descriptor: what is done in it is done in this very folder, whatever somebody makes its path
 * mean meanwhile.
 */
export class HeldFolder {
  readonly path: string;
  readonly #fd: number;

  private constructor(path: string, fd: number) {
    this.path = path;
    this.#fd = fd;
  }

  /** `follow`: false where the folder itself lies in one that others may write: then a link in its place is refused (ENOTDIR or ELOOP). Throws the system's error. */
  static open(path: string, { follow = true }: { follow?: boolean } = {}): HeldFolder {
    return new HeldFolder(path, openSync(path, constants.O_RDONLY | constants.O_DIRECTORY | (follow ? 0 : constants.O_NOFOLLOW)));
  }

  /** A path for a name in it, for calls of this process while the folder is held; put `plain` over the text of an error. */
  at(name: string): string {
    return DESCRIPTORS === null ? join(this.path, name) : `${DESCRIPTORS}/${this.#fd}/${name}`;
  }

  /** A message with the folder's own path instead of the one that `at` gave. */
  plain(message: string): string {
    return DESCRIPTORS === null ? message : message.replaceAll(`${DESCRIPTORS}/${this.#fd}/`, `${this.path}/`);
  }

  stats(): Stats {
    return fstatSync(this.#fd);
  }

  /** A name in a folder survives a power cut only once the folder itself is on disk. */
  syncNow(): void {
    fsyncSync(this.#fd);
  }

  /** `syncNow`, off the event loop; who asks while the folder is being synced shares the next time with all who do. Close it afterwards. */
  sync(): Promise<void> {
    const { dev, ino } = this.stats();
    const key = `${dev} ${ino}`;
    const shared = waiting.get(key) ?? this.#syncAfter(running.get(key) ?? Promise.resolve(), key);
    waiting.set(key, shared);
    return shared;
  }

  async #syncAfter(before: Promise<void>, key: string): Promise<void> {
    await before.catch(() => {}); // its callers see it. It may have begun too early to hold what ours has done
    waiting.delete(key);
    const sync = promisify(fsync)(this.#fd);
    running.set(key, sync);
    try {
      await sync;
    } finally {
      if (running.get(key) === sync) running.delete(key);
    }
  }

  close(): void {
    closeSync(this.#fd);
  }
}
