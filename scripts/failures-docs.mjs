// Writes docs/failures.md from the tables of codes, src/*/failures.ts. With --check: exit code 1 when it is not what they say.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('..', import.meta.url));
/** What nodes meet comes first; the others follow by name. */
const first = ['workflows', 'engine', 'power', 'pxe', 'telnet', 'frisbee', 'ssh'];
const found = readdirSync(`${root}src`).filter(
  (folder) => folder !== 'util' && readdirSync(`${root}src/${folder}`).includes('failures.ts'),
);
const folders = [...first.filter((folder) => found.includes(folder)), ...found.filter((folder) => !first.includes(folder)).sort()];
const { outputFiles } = await build({
  stdin: {
    contents: folders.map((folder) => `export { fail as ${folder} } from './src/${folder}/failures.js';`).join('\n'),
    resolveDir: root,
  },
  bundle: true,
  platform: 'node',
  format: 'esm',
  write: false,
  logLevel: 'warning',
});
const tables = await import(`data:text/javascript;base64,${Buffer.from(outputFiles[0].contents).toString('base64')}`);

const blames = { node: 'the node', site: 'the site', run: 'a run' };
const row = ([code, { blame, cure, meaning, todo, refusal }]) =>
  `| \`${code.replace('*', code.startsWith('*') ? '<step>' : '<status>')}\` | ${meaning} | ${blames[blame]} | ${
    cure === 'again' ? 'yes' : 'no'
  }${refusal ? '; refused' : ''} | ${todo} |`;
const section = (folder) => {
  const { title, table } = tables[folder];
  return `## ${title}\n\n| code | what has happened | whose fault | again? | what to do |\n|---|---|---|---|---|\n${Object.entries(table)
    .map(row)
    .join('\n')}\n`;
};

const page = `# Failures: every code

Each node that fails has a code: in the final table in brackets, in the [events](events.md), in the history of
[runs](runs.md). Messages say what was tried, on what and what was seen; the code is for scripts, and does not change.

* **Whose fault**: *the node* (its card, disk or network; where no node takes part, the disk that is read or written), *the site* (gateway, image, server,
  small system, configuration), *a run* (this one or another). Only what is the node's counts for \`imaging-runs stats\` and quarantine.
  Two codes depend: \`ndz-...\` is the site's, but the node's when \`imaging-save\` has just made the image of it; \`frisbee-failed\`
  is the node's, but the site's when the image file itself is damaged. The event says which: \`blame\`.
* **Again?** *yes*: trying again may help, and load and save do so by themselves (\`nodes.passes\`). *no*: a person, or another
  run, must do something first, and the node is given up at once. *refused*: when all nodes fail so at \`lock\`, untouched, the exit
  code is 3.

Not in the tables: \`bug\`, a defect of imaging itself (exit code 70, please report it); \`interrupted\`, the run was ended by a signal;
\`usage\`, \`refused\` and \`environment\`, what a whole command says otherwise (exit codes 2, 3 and 4), met by one node.

This page is made by \`node scripts/failures-docs.mjs\` out of \`src/*/failures.ts\`.

${folders.map(section).join('\n')}`;

const path = `${root}docs/failures.md`;
if (process.argv.includes('--check')) {
  if (readFileSync(path, 'utf8') === page) process.exit(0);
  console.error('docs/failures.md is not what the tables say: node scripts/failures-docs.mjs');
  process.exit(1);
}
writeFileSync(path, page);
