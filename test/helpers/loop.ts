import { execFileSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { temporaryFolder } from './images.js';

const env = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` };

/** Whether this user may set up a loop device. */
export const hasLoop = ((): boolean => {
  try {
    execFileSync('losetup', ['-f'], { stdio: 'ignore', env });
    return process.getuid?.() === 0;
  } catch {
    return false;
  }
})();

/** A block device with that content, gone after the test. */
export async function loopDevice(content: Uint8Array): Promise<string> {
  return (await loopOf(content, [])).device;
}

/** The same with options of losetup, and the file behind it. */
export async function loopOf(content: Uint8Array, options: readonly string[]): Promise<{ device: string; file: string }> {
  const file = join(await temporaryFolder(), 'backing');
  await writeFile(file, content);
  const device = execFileSync('losetup', ['-f', '--show', ...options, file], { encoding: 'utf8', env }).trim();
  onTestFinished(() => void execFileSync('losetup', ['-d', device], { env }));
  return { device, file };
}
