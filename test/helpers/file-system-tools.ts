import { spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';

const PATH = `${process.env.PATH ?? ''}:/usr/sbin:/sbin`;

/** Which of `programs` are not installed here, as a reason to skip; null when all are. */
export function missing(...programs: string[]): string | null {
  const absent = programs.filter((program) => !PATH.split(':').some((folder) => isExecutable(join(folder, program))));
  return absent.length === 0 ? null : `${absent.join(', ')} not installed`;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Runs a program to its end; throws with what it said unless its status is among `statuses`. */
export function tool(
  program: string,
  args: readonly string[],
  { input, statuses = [0] }: { input?: string; statuses?: readonly number[] } = {},
): string {
  const { status, stdout, stderr, error } = spawnSync(program, args, {
    encoding: 'utf8',
    env: { ...process.env, PATH, LC_ALL: 'C' },
    maxBuffer: 1 << 28,
    ...(input === undefined ? {} : { input }),
  });
  if (error) throw error;
  if (!statuses.includes(status ?? -1)) throw new Error(`${program} ${args.join(' ')}: status ${status}\n${stdout}${stderr}`);
  return stdout;
}
