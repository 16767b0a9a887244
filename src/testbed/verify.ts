import { createHash } from 'node:crypto';
import { open, stat } from 'node:fs/promises';
import type { Testbed } from './testbed.js';

/** One node's disk against an image. */
export type DiskCheck = { node: string; sha256: string; ok: boolean };

const READ_BYTES = 1 << 20;
const AT_ONCE = 4;

/**
 * The SHA-256 of every node's disk, as far as the image's disk reaches (a shorter one counts as if zeros followed), and
 * whether it is the image's. `expected` is that of another image than the testbed's own, with its disk's size.
 */
export async function verifyDisks(
  testbed: Testbed,
  expected: { sha256: string; diskBytes: number } = testbed.demoImage,
): Promise<DiskCheck[]> {
  const waiting = testbed.nodes.map(({ name, diskPath }) => ({ node: name, diskPath }));
  const checks = new Map<string, DiskCheck>();
  const work = async (): Promise<void> => {
    for (let next = waiting.shift(); next; next = waiting.shift()) {
      const sha256 = await hashDisk(next.diskPath, expected.diskBytes);
      checks.set(next.node, { node: next.node, sha256, ok: sha256 === expected.sha256 });
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return testbed.nodes.flatMap(({ name }) => checks.get(name) ?? []);
}

/** SHA-256 of a file's first `sizeBytes` bytes, with zeros where it is shorter. */
export async function hashDisk(path: string, sizeBytes: number): Promise<string> {
  const hash = createHash('sha256');
  const handle = await open(path, 'r');
  try {
    const buffer = Buffer.alloc(READ_BYTES);
    const fileBytes = Math.min(sizeBytes, (await stat(path)).size);
    let done = 0;
    while (done < fileBytes) {
      const { bytesRead } = await handle.read(buffer, 0, Math.min(READ_BYTES, fileBytes - done), done);
      if (bytesRead === 0) break;
      hash.update(buffer.subarray(0, bytesRead));
      done += bytesRead;
    }
    buffer.fill(0);
    for (; done < sizeBytes; done += READ_BYTES) hash.update(buffer.subarray(0, Math.min(READ_BYTES, sizeBytes - done)));
  } finally {
    await handle.close();
  }
  return hash.digest('hex');
}
