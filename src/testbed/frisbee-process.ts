import { once } from 'node:events';
import type { Host } from '../util/host.js';
import { messageOf } from '../util/errors.js';
import type { NodeDisk } from './disk.js';
import { INTERRUPTED_STATUS, type Program } from './program.js';
import { DISK_DEVICE } from './ramdisk.js';

/** Another frisbee client as the node's: a real process in the node's network, on the node's disk. */
export function frisbeeProcess(path: string, disk: NodeDisk, host: Host): Program {
  return async (args, { stdout, stderr, signal }) => {
    if (signal.aborted) return INTERRUPTED_STATUS;
    disk.markIncomplete();
    const child = host.spawn(
      path,
      args.map((word) => (word === DISK_DEVICE ? disk.path : word)),
      { stdio: ['ignore', 'pipe', 'pipe'] },
    );
    const stop = (): void => void child.kill('SIGKILL');
    signal.addEventListener('abort', stop, { once: true });
    child.stdout.pipe(stdout, { end: false });
    child.stderr.pipe(stderr, { end: false });
    try {
      const [code] = (await once(child, 'close')) as [number | null];
      if (code === 0) disk.markComplete();
      return signal.aborted ? INTERRUPTED_STATUS : (code ?? 134);
    } catch (error) {
      stderr.write(`frisbee: ${messageOf(error)}\n`);
      return 126;
    } finally {
      signal.removeEventListener('abort', stop);
    }
  };
}
