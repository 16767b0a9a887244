// Bundles src/ into dist/: one entry per executable thread, lazily loaded chunks beside them. Then completions/ and man/.
// dist/ is flat on purpose: workers are found as new URL('./<name>.js', import.meta.url) from any chunk.
import { copyFileSync, existsSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { join } from 'node:path';
import { generate } from './generate.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const ifPossible = process.argv.includes('--if-possible');

if (!existsSync(join(root, 'src'))) process.exit(0); // installed from a tarball: dist/ is already there
let esbuild;
try {
  esbuild = await import('esbuild');
} catch (error) {
  if (ifPossible) process.exit(0);
  console.error(`imaging: cannot build without esbuild (${error.code}); run 'npm ci' first`);
  process.exit(4);
}

const workers = readdirSync(join(root, 'src'), { recursive: true })
  .map(String)
  .filter((file) => file.endsWith('.worker.ts'));
const entryPoints = Object.fromEntries([
  ['main', join(root, 'src/cli/main.ts')],
  ...workers.map((file) => [file.split('/').pop().replace(/\.ts$/, ''), join(root, 'src', file)]),
]);

const asciiHelp = {
  name: 'ascii-help',
  setup: (build) =>
    build.onResolve({ filter: /^string-width$/ }, ({ importer }) =>
      /node_modules\/(yargs|cliui|wrap-ansi)\//.test(importer) ? { path: join(root, 'scripts/ascii-width.mjs') } : undefined,
    ),
};

// libsql is native: its library for each platform that npm installed goes into dist/ as libsql-<platform>.node, and is
// looked for there. The name is put together so that esbuild does not look for it now
const libsqlNative = {
  name: 'libsql-native',
  setup: (build) =>
    build.onLoad({ filter: /node_modules\/libsql\/index\.js$/ }, ({ path }) => {
      const source = readFileSync(path, 'utf8');
      const contents = source.replace('require(`@libsql/${target}`)', "require(['.', 'libsql-' + target + '.node'].join('/'))");
      if (contents === source) throw new Error('libsql loads its library in another way than it did: adapt scripts/build.mjs');
      return { contents, loader: 'js' };
    }),
};

function copyLibsql(folder) {
  const packages = join(root, 'node_modules/@libsql');
  copyFileSync(join(root, 'node_modules/libsql/LICENSE'), join(folder, 'libsql.LICENSE.txt'));
  for (const platform of readdirSync(packages))
    copyFileSync(join(packages, platform, 'index.node'), join(folder, `libsql-${platform}.node`));
}

// The same for koffi, which looks for its library beside its own file
const koffiNative = {
  name: 'koffi-native',
  setup: (build) => {
    build.onLoad({ filter: /node_modules\/koffi\/src\/koffi\/src\/static\.js$/ }, () => ({
      contents: 'export const loadStatic = () => null;',
      loader: 'js',
    }));
    build.onLoad({ filter: /node_modules\/koffi\/src\/koffi\/index\.js$/ }, ({ path }) => {
      const source = readFileSync(path, 'utf8');
      const contents = source.replace(
        /let names = \[[^]*?\];/,
        "let names = triplets2.map((triplet) => [import.meta.dirname, 'koffi-' + triplet + '.node'].join('/'));",
      );
      if (contents === source) throw new Error('koffi loads its library in another way than it did: adapt scripts/build.mjs');
      return { contents, loader: 'js' };
    });
  },
};

function copyKoffi(folder) {
  const packages = join(root, 'node_modules/@koromix');
  copyFileSync(join(root, 'node_modules/koffi/LICENSE.txt'), join(folder, 'koffi.LICENSE.txt'));
  for (const platform of readdirSync(packages))
    for (const triplet of readdirSync(join(packages, platform))) {
      const library = join(packages, platform, triplet, 'koffi.node');
      if (existsSync(library)) copyFileSync(library, join(folder, `koffi-${triplet}.node`));
    }
}

// built beside dist/ and put in its place at the end: a build that fails, or another at the same time, breaks nothing
const fresh = join(root, `dist.${process.pid}.tmp`);
try {
  await esbuild.build({
    entryPoints,
    outdir: fresh,
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node20.19',
    sourcemap: false,
    minifySyntax: true,
    minifyWhitespace: true,
    legalComments: 'linked',
    logLevel: 'warning',
    // ssh2 needs __dirname, and a plain `const __dirname` collides with the one yargs declares
    define: { __dirname: '__imDir', __filename: '__imFile', 'process.env.NODE_ENV': '"production"' },
    banner: {
      js: [
        "import{createRequire as __cr}from'node:module'",
        "import{fileURLToPath as __fu}from'node:url'",
        "import{dirname as __dn}from'node:path'",
        'const require=__cr(import.meta.url)',
        'const __imFile=__fu(import.meta.url)',
        'const __imDir=__dn(__imFile);',
      ].join(';'),
    },
    alias: { 'react-devtools-core': join(root, 'scripts/empty.mjs') },
    plugins: [asciiHelp, libsqlNative, koffiNative],
    external: ['cpu-features', '*.node'],
  });
  copyLibsql(fresh);
  copyKoffi(fresh);
  rmSync(join(root, 'dist'), { recursive: true, force: true });
  renameSync(fresh, join(root, 'dist'));
  await generate(esbuild, root);
} catch (error) {
  rmSync(fresh, { recursive: true, force: true });
  console.error(`imaging: the build failed: ${error.message}`);
  process.exit(1);
}
