import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));

/** The package's folder, whether we run from the bundle (dist/) or from the sources (src/util/, in tests). */
export const packageRoot = basename(here) === 'dist' ? dirname(here) : join(here, '../..');

/** Where the bundle puts the worker whose source file is `<name>.worker.ts`. */
export function workerPath(name: string): string {
  return join(packageRoot, 'dist', `${name}.worker.js`);
}

/** The executable, for commands that start another command of ours. */
export const executablePath = join(packageRoot, 'bin', 'imaging.js');
