#!/usr/bin/env node
// The one executable. imaging-load, imaging-save, … are links to it: the name it is called by is the command.
import { existsSync } from 'node:fs';

const bundle = new URL('../dist/main.js', import.meta.url);
if (!existsSync(bundle)) {
  console.error("imaging: not built yet; run 'npm ci && npm run build' in the checkout");
  process.exit(4);
}
const { main } = await import(bundle.href);
await main(process.argv);
