#!/bin/sh
':' //; true 2>/dev/null 3>&1 || [ ! -w /dev/full ] || exec >/dev/full
':' //; ulimit -Sn 96 2>/dev/null || { echo "imaging: too few files may be open at once here (ulimit -n): it needs 96, and some more for each node" >&2; exit 4; }
':' //; exec node "$0" "$@"
// The one executable. imaging-load, imaging-save, … are links to it: the name it is called by is the command.
// The lines above are a shell's, and nothing to JavaScript. They see what Node.js hides or does not survive: a standard
// output that is closed, which it replaces by /dev/null (results would be lost, and nobody told), and a limit of open files
// that it cannot start with. Node.js raises the soft limit to the hard one again.
import { existsSync } from 'node:fs';

const bundle = new URL('../dist/main.js', import.meta.url);
if (!existsSync(bundle)) {
  console.error("imaging: not built yet; run 'npm ci && npm run build' in the checkout");
  process.exit(4);
}
const { main } = await import(bundle.href);
await main(process.argv);
