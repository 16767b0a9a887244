import { droppedKeys, renamedKeys } from '../../src/config/foreign-names.js';
import { allKeys } from '../../src/config/schema.js';
import type { KeySpec } from '../../src/config/section.js';

/** The rows that docs/configuration.md must hold, one per key. */
export function keyRow(spec: KeySpec<unknown>): string {
  const value = spec.default === '' ? '(empty)' : `\`${spec.default}\``;
  return `| \`${spec.section}.${spec.key}\` | ${value} | ${spec.meaning} | ${spec.kind.allowed} |`;
}

export const keptNames = allKeys.filter((spec) => spec.status === 'kept').map((spec) => `${spec.section}.${spec.key}`);
export const newNames = allKeys.filter((spec) => spec.status === 'new').map((spec) => `${spec.section}.${spec.key}`);
export const renamedRows = Object.entries(renamedKeys).map(([name, current]) => `| \`${name}\` | \`${current}\` |`);
export const droppedRows = Object.entries(droppedKeys).map(([name, why]) => `| \`${name}\` | ${why} |`);

/** What etc/imaging.conf.example holds for a key. */
export function exampleLines(spec: KeySpec<unknown>): string {
  const unit = spec.unit === null ? '' : ` (${spec.unit})`;
  return `# ${spec.meaning}${unit}\n${`${spec.key} = ${spec.default}`.trimEnd()}\n`;
}
