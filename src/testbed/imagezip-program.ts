import { runImagezip } from '../programs/imagezip.js';
import { INTERRUPTED_STATUS, type Program } from './program.js';
import { DISK_DEVICE } from './ramdisk.js';

/** The ramdisk's `imagezip`: reads the node's disk, writes to standard output only, as nothing else is on the node. */
export function imagezip(diskPath: string): Program {
  return async (args, io) => {
    const paths = args.filter((word, index) => (!word.startsWith('-') || word === '-' ? !TAKES_VALUE.has(args[index - 1] ?? '') : false));
    if (paths.length === 2 && (paths[0] !== DISK_DEVICE || paths[1] !== '-')) {
      io.stderr.write(`imagezip: this node has ${DISK_DEVICE} to read, and - (standard output) to write\n`);
      return 1;
    }
    const status = await runImagezip(
      args.map((word) => (word === DISK_DEVICE ? diskPath : word)),
      io,
    );
    return io.signal.aborted ? INTERRUPTED_STATUS : status;
  };
}

const TAKES_VALUE = new Set(['-z', '-u', '-s', '-F', '-R', '-I', '-c']);
