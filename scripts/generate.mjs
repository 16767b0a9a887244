// Writes what is made from the tables of commands and settings. A build makes completions/ and man/; `npm run generate`
// brings what is kept of the commands up to date: bin and man of package.json, the links of bin/, the list of
// check-package.sh. Same tables, same bytes.
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

/** Commands that the table loads when they run. */
const lazyCommands = {
  name: 'lazy-commands',
  setup: (build) =>
    build.onResolve({ filter: /^\./ }, ({ kind, path }) => (kind === 'dynamic-import' ? { path, external: true } : undefined)),
};

/** The module that makes everything; the commands themselves, and what they load, are not run here. */
async function tables(esbuild, root) {
  const work = mkdtempSync(join(tmpdir(), 'imaging-generate-'));
  try {
    const outfile = join(work, 'generated-files.mjs');
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
    return await import(pathToFileURL(outfile).href);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** Writes completions/ and man/. `esbuild` is the package; `root` the checkout. */
export async function generate(esbuild, root) {
  const { generatedFiles } = await tables(esbuild, root);
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
}

/** Brings package.json, bin/ and check-package.sh up to date. */
async function generateLists(esbuild, root) {
  const { generatedLists } = await tables(esbuild, root);
  const { bin, man, helpful } = generatedLists();
  const manifest = join(root, 'package.json');
  writeFileSync(manifest, `${JSON.stringify({ ...JSON.parse(readFileSync(manifest, 'utf8')), bin, man }, null, 2)}\n`);
  const links = join(root, 'bin');
  for (const name of readdirSync(links)) if (name !== 'imaging.js' && !(name in bin)) rmSync(join(links, name));
  for (const name of Object.keys(bin)) if (!existsSync(join(links, name))) symlinkSync('imaging.js', join(links, name));
  const check = join(root, 'scripts/check-package.sh');
  const text = readFileSync(check, 'utf8');
  writeFileSync(check, text.replace(/^commands=.*$/m, `commands='${helpful.join(' ')}' # npm run generate`));
}

if (process.argv[1] === fileURLToPath(import.meta.url))
  await generateLists(await import('esbuild'), fileURLToPath(new URL('..', import.meta.url)));
