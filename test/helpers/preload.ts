import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { scratch } from './cli.js';

/**
 * The environment in which Node runs `source` before a command: what breaks in it breaks inside the real program.
 * `replace(name, make)` puts what `make` makes of a function in its place, both in `node:fs/promises` and in `node:fs` (whose
 * `nameSync` may then return a promise); `inConfigDir(path)` tells next-boot links from other files.
 */
export function preloaded(source: string): { NODE_OPTIONS: string } {
  const path = join(scratch(), 'preload.mjs');
  writeFileSync(
    path,
    `import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
const replace = (name, make) => {
  fs.promises[name] = make(fs.promises[name]);
  fs[name + 'Sync'] = make(fs[name + 'Sync']);
};
const inConfigDir = (path) => String(path).includes('/pxelinux.cfg/');
${source}
syncBuiltinESMExports();
`,
  );
  return { NODE_OPTIONS: `--import=${path}` };
}
