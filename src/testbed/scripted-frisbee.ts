import type { ImageInfo } from '../ndz/read/inspect.js';
import { type FaultProfile, faultsOfWrite } from './fault.js';
import { sectorToCorrupt } from './corruption.js';
import type { NodeDisk } from './disk.js';
import { getopt, numberValue } from '../programs/getopt.js';
import { boundLines, chunkDot, joinedLine } from '../programs/frisbee-lines.js';
import { INTERRUPTED_STATUS, type Program } from './program.js';
import { DISK_DEVICE } from './ramdisk.js';

/** The image a scripted frisbee pretends to receive: its numbers, and the raw disk that becomes the node's. */
export type ScriptedImage = { info: ImageInfo; rawPath: string };

/**
 * A frisbee that receives nothing: it prints what a client of that image prints and makes the node's disk a link to the raw
 * image, at no cost. For measuring everything around the transfer. Knows the faults of the write.
 */
export function scriptedFrisbee(image: ScriptedImage, profile: FaultProfile, disk: NodeDisk, crash: () => void): Program {
  let writes = 0;
  return async (args, { stderr, signal }) => {
    const faults = faultsOfWrite(profile, ++writes);
    const session = parse(args);
    if (typeof session === 'string') {
      stderr.write(`frisbee: ${session}\n`);
      return 1;
    }
    const { chunkCount: chunks, sizeBytes, effectiveBytes, actualBytes } = image.info;
    const clientId = 1 + Math.floor(Math.random() * 0x7ffffffe);
    stderr.write(
      boundLines({ receiveBufferBytes: 1_048_576, multicast: true, ...session }) +
        joinedLine({ elapsedMs: 0, clientId, chunks, sizeBytes }),
    );
    disk.markIncomplete();
    const stopPercent = faults.dropAtPercent ?? faults.diskErrorAtPercent;
    stderr.write(dots(stopPercent === null ? chunks : Math.floor((chunks * stopPercent) / 100), chunks));
    await new Promise((resolve) => setImmediate(resolve)); // what was printed is on its way before anything happens
    if (signal.aborted) return INTERRUPTED_STATUS;
    if (faults.dropAtPercent !== null) return die(crash, signal);
    if (faults.diskErrorAtPercent !== null) {
      stderr.write('frisbee: writing /dev/sda: EIO: i/o error, write\n');
      return 1;
    }
    await writeDisk(image, faults, disk);
    stderr.write(`\nLeft the team after 0 seconds on the field!\nWrote ${effectiveBytes} bytes (${actualBytes} actual)\n0 0 ${chunks}\n`);
    return 0;
  };
}

function parse(args: readonly string[]): { group: string; port: number } | string {
  const options = getopt(args, 'qNzObdnfr', 'mpiTCRKIkWM');
  if (typeof options === 'string') return options;
  const group = options.values.get('m');
  const port = numberValue(options, 'p', 0, 1);
  if (group === undefined || !port) return 'both -m and -p are needed';
  const [device] = options.words;
  return device === DISK_DEVICE ? { group, port } : `opening output file ${device ?? ''}: No such file or directory`;
}

async function writeDisk({ rawPath, info }: ScriptedImage, { corruptAtPercent }: FaultProfile, disk: NodeDisk): Promise<void> {
  if (corruptAtPercent === null) return disk.share(rawPath);
  await disk.fill(rawPath);
  await disk.corrupt(await sectorToCorrupt(info.path, corruptAtPercent));
}

/** The node is gone: nobody is there to see the program end. */
async function die(crash: () => void, signal: AbortSignal): Promise<number> {
  crash();
  if (!signal.aborted) await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
  return INTERRUPTED_STATUS;
}

function dots(count: number, total: number): string {
  let text = '';
  for (let done = 1; done <= count; done++) text += chunkDot({ doneChunks: done, totalChunks: total, elapsedMs: 0 });
  return text;
}
