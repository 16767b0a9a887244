// Which test files root is to run after an ordinary user has run them all: those of which something was skipped for that
// user, and those that ask who runs them. Reads vitest's report (JSON) of that run; prints a file a line.
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const report = JSON.parse(readFileSync(process.argv[2] ?? '/dev/stdin', 'utf8'));

const skipped = report.testResults
  .filter(({ assertionResults }) => assertionResults.some(({ status }) => status !== 'passed'))
  .map(({ name }) => relative(root, join(root, name)));
const asking = readdirSync(join(root, 'test'), { recursive: true })
  .map((name) => join('test', String(name)))
  .filter((name) => /(?<!\.slow)\.test\.tsx?$/.test(name) && readFileSync(join(root, name), 'utf8').includes('getuid'));

const files = [...new Set([...skipped, ...asking])].sort();
if (files.length === 0) throw new Error('a report in which nothing needs root: is it one?');
console.log(files.join('\n'));
