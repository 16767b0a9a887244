// Makes a fresh clone ready: installs when node_modules does not match the lock, builds when dist/ is older than src/.
import { spawnSync } from 'node:child_process';
import { existsSync, lstatSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const at = (...parts) => join(root, ...parts);
const mtime = (file) => (existsSync(file) ? statSync(file).mtimeMs : 0);

function run(command, args, why) {
  console.error(`imaging: ${why}: ${command} ${args.join(' ')}`);
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] });
  if (error) console.error(`imaging: ${command}: ${error.message}`);
  if (status !== 0) process.exit(4);
}

const [major, minor] = process.versions.node.split('.').map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
  console.error(`imaging: Node ${process.versions.node} is too old; 20.19 or later is needed`);
  process.exit(4);
}

// npm writes node_modules/.package-lock.json last, so it is there only after an install that ended well
// (a link to another checkout's is that one's business: npm would empty it)
const linked = lstatSync(at('node_modules'), { throwIfNoEntry: false })?.isSymbolicLink() === true;
if (!linked && mtime(at('node_modules/.package-lock.json')) < mtime(at('package-lock.json'))) {
  run('npm', ['ci', '--no-audit', '--no-fund'], 'installing');
}

const newest = readdirSync(at('src'), { recursive: true })
  .map((file) => mtime(at('src', String(file))))
  .concat(mtime(at('scripts/build.mjs')), mtime(at('package-lock.json')))
  .reduce((a, b) => Math.max(a, b), 0);
if (mtime(at('dist/main.js')) < newest) run('node', ['scripts/build.mjs'], 'building');
