import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import { isObject, parseJson } from '../../src/util/json.js';
import { packageRoot } from '../../src/util/dist.js';

const folder = join(packageRoot, 'docs/schemas');
const ajv = new Ajv2020({ allErrors: true, allowUnionTypes: true });
const known = new Map<string, ValidateFunction>();

/** The names of the schemas in docs/schemas. */
export const schemaNames = readdirSync(folder).map((name) => name.replace(/\.json$/, ''));

/** What a value has against a schema of docs/schemas, a field that the schema does not name included; none when it is fine. */
export function complaints(name: string, value: unknown): string[] {
  const validate = known.get(name) ?? ajv.compile(closed(parseJson(readFileSync(join(folder, `${name}.json`), 'utf8'))));
  known.set(name, validate);
  if (validate(value)) return [];
  return (validate.errors ?? []).map(({ instancePath, message, params }) => `${instancePath}: ${message} ${JSON.stringify(params)}`);
}

/** The schema without room for fields that it does not name: what is printed must be in the types. */
function closed(schema: unknown): Record<string, unknown> {
  if (!isObject(schema)) throw new Error('no schema');
  const entries = Object.entries(schema).map(([key, value]) => [key, Array.isArray(value) ? value.map(part) : part(value)] as const);
  const own =
    isObject(schema.properties) && schema.type === 'object' && !('additionalProperties' in schema) ? { additionalProperties: false } : {};
  return { ...Object.fromEntries(entries), ...own };
}

function part(value: unknown): unknown {
  return isObject(value) && !Array.isArray(value) ? closed(value) : value;
}
