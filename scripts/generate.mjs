// Writes what is made from the tables of commands and settings: completions/ and man/. Same tables, same bytes.
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';

/** Commands that the table loads when they run. */
const lazyCommands = {
  name: 'lazy-commands',
  setup: (build) =>
    build.onResolve({ filter: /^\./ }, ({ kind, path }) => (kind === 'dynamic-import' ? { path, external: true } : undefined)),
};

/** `esbuild` is the package; `root` the checkout. */
export async function generate(esbuild, root) {
  const work = mkdtempSync(join(tmpdir(), 'imaging-generate-'));
  try {
    const outfile = join(work, 'generated-files.mjs');
    // the commands themselves, and what they load, are not run here
    await esbuild.build({
      entryPoints: [join(root, 'src/cli/manual/generated-files.ts')],
      outfile,
      bundle: true,
      format: 'esm',
      platform: 'node',
      target: 'node20.19',
      packages: 'external',
      plugins: [lazyCommands],
      logLevel: 'warning',
    });
    const { generatedFiles } = await import(pathToFileURL(outfile).href);
    const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
    const fresh = join(root, `dist.${process.pid}.tmp`);
    for (const [path, text] of generatedFiles(version)) {
      mkdirSync(dirname(join(fresh, path)), { recursive: true });
      writeFileSync(join(fresh, path), text);
    }
    for (const folder of ['completions', 'man']) {
      rmSync(join(root, folder), { recursive: true, force: true });
      renameSync(join(fresh, folder), join(root, folder));
    }
    rmSync(fresh, { recursive: true, force: true });
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}
