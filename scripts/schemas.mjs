// Writes docs/schemas/*.json, the JSON Schemas (draft 2020-12) of what programs read from us, from the types in
// scripts/outputs.ts. With --check it writes nothing, and fails when a file is not what the types say.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createGenerator } from 'ts-json-schema-generator';

const root = join(import.meta.dirname, '..');
const folder = join(root, 'docs/schemas');
const check = process.argv.includes('--check');

const generator = createGenerator({
  path: join(root, 'scripts/outputs.ts'),
  tsconfig: join(root, 'tsconfig.json'),
  skipTypeCheck: true, // npm run types does it
  additionalProperties: true, // new fields may come
  topRef: false,
  expose: 'export',
  jsDoc: 'basic',
});

/** The generator writes draft 7, which differs from 2020-12 in nothing else that it uses. */
function modern(value) {
  if (Array.isArray(value)) return value.map(modern);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).map(([key, each]) => {
    if (key === 'definitions') return ['$defs', modern(each)];
    return [key, key === '$ref' ? each.replace('#/definitions/', '#/$defs/') : modern(each)];
  });
  return Object.fromEntries(entries);
}

/** The part of the definitions that `schema` needs, directly or by way of others. */
function needed(schema, definitions, found = {}) {
  for (const [, name] of JSON.stringify(schema).matchAll(/"\$ref":"#\/\$defs\/([^"]+)"/g)) {
    const key = decodeURIComponent(name);
    if (key in found) continue;
    found[key] = definitions[key];
    needed(definitions[key], definitions, found);
  }
  return found;
}

const { $defs = {}, properties } = modern(generator.createSchema('Outputs'));
const files = Object.entries(properties).map(([name, schema]) => {
  const parts = needed(schema, $defs);
  const $schema = 'https://json-schema.org/draft/2020-12/schema';
  const whole = { $schema, title: `imaging: ${name}`, ...schema, ...(Object.keys(parts).length > 0 ? { $defs: parts } : {}) };
  return [`${name}.json`, `${JSON.stringify(whole, null, 1)}\n`];
});

mkdirSync(folder, { recursive: true });
const stale = files.filter(([name, text]) => {
  try {
    return readFileSync(join(folder, name), 'utf8') !== text;
  } catch {
    return true;
  }
});
const surplus = readdirSync(folder).filter((name) => !files.some(([each]) => each === name));
if (check && stale.length + surplus.length > 0) {
  console.error(`docs/schemas is not what the types say: ${[...stale.map(([name]) => name), ...surplus].join(', ')}; run npm run schemas`);
  process.exitCode = 1;
} else if (!check) {
  for (const [name, text] of stale) writeFileSync(join(folder, name), text);
}
