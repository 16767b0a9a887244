import { DISK_END_BYTES, SECTOR_BYTES } from '../../disk/sector.js';
import type { TelnetSession } from '../../telnet/session.js';
import type { NodeRun } from '../node-steps.js';

export type ClearEndOptions = {
  /** The node's disk, as its shell calls it; of plain characters, as the configuration has checked. */
  device: string;
  /** Sectors (of 512 bytes) of the disk that the image was made from: what lies before is the image's. */
  imageSectors: number;
  /** Silence of the node's shell that counts as a dead node, milliseconds. */
  stallMs: number;
};

const END_SECTORS = DISK_END_BYTES / SECTOR_BYTES;

/**
 * Clears the last MiB of a node's disk as far as it lies behind the image: what an older system left there (RAID, ZFS, the copy
 * of a GPT) is found by the new one otherwise. Nothing else of the disk is touched, and nothing at all when its size cannot be
 * had. What does not work is noted and no failure. Asks the shell for `blockdev` or /sys, `dd` and `sync`. Rejects as
 * `TelnetSession.run` does.
 */
export async function clearEnd(
  node: NodeRun,
  telnet: TelnetSession,
  { device, imageSectors, stallMs }: ClearEndOptions,
  signal: AbortSignal,
): Promise<void> {
  const run = async (command: string): Promise<{ status: number; lines: string[] }> => {
    const lines: string[] = [];
    const { status } = await telnet.run(command, { signal, silenceTimeoutMs: stallMs, onLine: (line) => void lines.push(line) });
    return { status, lines };
  };
  const sectors = numberIn(
    (await run(`blockdev --getsz ${device} 2>/dev/null || cat /sys/class/block/${device.replace(/^.*\//, '')}/size 2>/dev/null`)).lines,
  );
  if (sectors === null) {
    node.note(`nobody on ${node.name} tells the size of ${device}: what an older system left at its end is still there`);
    return;
  }
  const start = Math.max(imageSectors, sectors - END_SECTORS);
  if (start >= sectors) return; // the image reaches the end
  const { status, lines } = await run(
    `dd if=/dev/zero of=${device} bs=${SECTOR_BYTES} seek=${start} count=${sectors - start} 2>/dev/null && sync`,
  );
  node.note(
    status === 0
      ? `cleared sectors ${start} to ${sectors - 1}, the end of ${device} behind the image`
      : `the end of ${device} behind the image could not be cleared (status ${status}): ${JSON.stringify(lines.at(-1)?.slice(0, 200) ?? '')}`,
  );
}

/** Whether the disk has the sectors that the image's partition table counts in: a sentence when not, null when it does or nobody tells. */
export async function wrongSectors(
  node: NodeRun,
  telnet: TelnetSession,
  { device, stallMs }: Omit<ClearEndOptions, 'imageSectors'>,
  tableSectorBytes: number,
  signal: AbortSignal,
): Promise<string | null> {
  const lines: string[] = [];
  await telnet.run(`blockdev --getss ${device} 2>/dev/null`, {
    signal,
    silenceTimeoutMs: stallMs,
    onLine: (line) => void lines.push(line),
  });
  const seen = numberIn(lines);
  if (seen === null || seen === tableSectorBytes) return null;
  return `${node.name}: ${device} has sectors of ${seen} bytes, and the image's partition table is for ${tableSectorBytes}: it will not be found`;
}

/** The number that a line ends with; a prompt may stand before it. */
function numberIn(lines: readonly string[]): number | null {
  const found = lines.flatMap((line) => /(?:^|\s)(\d{1,16})\s*$/.exec(line)?.[1] ?? []).at(-1);
  return found === undefined || Number(found) === 0 ? null : Number(found);
}
