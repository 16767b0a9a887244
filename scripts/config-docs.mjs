// Brings what is generated from the schema up to date: the table of docs/configuration.md and etc/imaging.conf.example.
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const at = (path) => fileURLToPath(new URL(`../${path}`, import.meta.url));
const { outputFiles } = await build({
  entryPoints: [at('src/config/schema.ts')],
  bundle: true,
  platform: 'node',
  format: 'esm',
  write: false,
  logLevel: 'warning',
});
const { allKeys } = await import(`data:text/javascript;base64,${Buffer.from(outputFiles[0].contents).toString('base64')}`);

const row = (spec) =>
  `| \`${spec.section}.${spec.key}\` | ${spec.default === '' ? '(empty)' : `\`${spec.default}\``} | ${spec.meaning} | ${spec.kind.allowed} |`;
const names = (status) =>
  allKeys
    .filter((spec) => spec.status === status)
    .map((spec) => `\`${spec.section}.${spec.key}\``)
    .join(', ');
const page = at('docs/configuration.md');
const text = readFileSync(page, 'utf8')
  .replace(/(## Every key\n\n\|[^\n]*\n\|[-|]*\n)(?:\| `[^\n]*\n)*/, (_, head) => `${head}${allKeys.map(row).join('\n')}\n`)
  .replace(/(\*\*New\*\*: )[^\n]*/, (_, head) => `${head}${names('new')}.`);
writeFileSync(page, text);

const example = at('etc/imaging.conf.example');
const old = readFileSync(example, 'utf8');
const head = old.slice(0, old.indexOf('\n['));
const tail = old.match(/\n# Groups, for node specs[^]*$/)?.[0] ?? '';
const lines = [];
let section = '';
for (const spec of allKeys) {
  if (spec.section !== section) lines.push('', `[${(section = spec.section)}]`);
  lines.push('', `# ${spec.meaning}${spec.unit === null ? '' : ` (${spec.unit})`}`, `${spec.key} = ${spec.default}`.trimEnd());
}
writeFileSync(example, `${head}${lines.join('\n')}\n${tail}`);
