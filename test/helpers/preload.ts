import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { scratch } from './cli.js';

/**
 * The environment in which Node runs `source` before a command: what breaks in it breaks inside the real program. `fs` is
 * `node:fs/promises`, whose functions may be replaced, and `inConfigDir(path)` tells next-boot links from other files.
 */
export function preloaded(source: string): { NODE_OPTIONS: string } {
  const path = join(scratch(), 'preload.mjs');
  writeFileSync(
    path,
    `import fs from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
const inConfigDir = (path) => String(path).includes('/pxelinux.cfg/');
${source}
syncBuiltinESMExports();
`,
  );
  return { NODE_OPTIONS: `--import=${path}` };
}
