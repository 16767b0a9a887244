// npm run bench [-- name ...]: every benchmark, or the named ones, one after the other.
import { readdirSync } from 'node:fs';

const all = readdirSync(new URL('.', import.meta.url)).filter(
  (file) => file.endsWith('.mjs') && !['run.mjs', 'measure.mjs'].includes(file),
);
const wanted = process.argv.slice(2);
for (const file of all) if (wanted.length === 0 || wanted.includes(file.replace('.mjs', ''))) await import(`./${file}`);
