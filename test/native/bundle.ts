import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { temporaryFolder } from '../helpers/frisbee.js';

/** A program of the tests, or a worker, in one file that Node.js runs as it is; gone after the test. */
export async function bundle(name: string): Promise<string> {
  const koffi = fileURLToPath(import.meta.resolve('koffi'));
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL(name, import.meta.url))],
    bundle: true,
    write: false,
    platform: 'node',
    format: 'esm',
    alias: { koffi },
    external: [koffi],
    banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" },
  });
  const path = join(temporaryFolder(), 'program.mjs');
  writeFileSync(path, outputFiles[0]!.contents);
  return path;
}
