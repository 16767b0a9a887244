import { blockDevices } from './block-devices.js';
import type { Capability } from './capability.js';
import { directIo } from './direct-io.js';
import { fileLocks } from './file-locks.js';
import { fileSpace } from './file-space.js';
import { libdeflate } from './libdeflate.js';
import type { CapabilityName } from './switches.js';
import { udpBatches } from './udp-batches.js';
import { uevents } from './uevents.js';

/** Everything that system calls are used for, for those who tell people about it. */
export const capabilities: readonly Capability<unknown>[] = [udpBatches, directIo, blockDevices, fileSpace, fileLocks, uevents, libdeflate];

/** A line that says which of these are off, and why; null when all are on. */
export async function offLine(names: readonly CapabilityName[]): Promise<string | null> {
  const off: string[] = [];
  for (const capability of capabilities.filter(({ name }) => names.includes(name))) {
    const why = await capability.whyOff();
    if (why !== null) off.push(`${capability.name} (${why}): ${capability.without}`);
  }
  return off.length === 0 ? null : `system calls that are off: ${off.join('; ')}`;
}
