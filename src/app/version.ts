import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../util/dist.js';

/** The package's version. */
export function version(): string {
  const parsed: unknown = JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8'));
  return typeof parsed === 'object' && parsed !== null && 'version' in parsed ? String(parsed.version) : 'unknown';
}
