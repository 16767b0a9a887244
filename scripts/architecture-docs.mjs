// Brings the tables of docs/architecture.md up to date with test/house.ts; with --check it only says whether they are.
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const at = (path) => fileURLToPath(new URL(`../${path}`, import.meta.url));
const { outputFiles } = await build({
  entryPoints: [at('test/house.ts')],
  bundle: true,
  platform: 'node',
  format: 'esm',
  write: false,
  logLevel: 'warning',
});
const { house, doors } = await import(`data:text/javascript;base64,${Buffer.from(outputFiles[0].contents).toString('base64')}`);

const doorsOf = (folder) => (doors[folder] ?? []).map((file) => `\`${file}\``).join(', ');
const rows = Object.entries(house).map(
  ([folder, { is, imports }]) => `| \`${folder}\` | ${is} | ${imports.join(', ')} | ${doorsOf(folder)} |`,
);
const table = ['| folder | what it is | may import | doors |', '|---|---|---|---|', ...rows].join('\n');

const page = at('docs/architecture.md');
const old = readFileSync(page, 'utf8');
const text = old.replace(/(<!-- folders:[^>]*-->\n)[^]*(<!-- \/folders -->)/, (_, head, tail) => `${head}\n${table}\n\n${tail}`);
if (text !== old && process.argv.includes('--check')) {
  console.error('docs/architecture.md is not what test/house.ts says: npm run generate');
  process.exit(1);
}
if (text !== old) writeFileSync(page, text);
