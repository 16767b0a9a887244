import { createReadStream, existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { once } from 'node:events';
import { foldNames } from '../../nodes/names.js';
import { findRun } from '../../runs/store.js';
import { EscapeStripper, LineSplitter } from '../../telnet/terminal-text.js';
import { messageOf, UserError } from '../../util/errors.js';
import { printable } from '../../util/text.js';
import { openRegular } from '../../util/owned-file.js';
import type { CommandContext } from '../kit/command.js';
import { exitCodes } from '../kit/exit.js';
import { oneNode, runsAction } from './action.js';

/** What a node said in a run: its telnet output, without what controls terminals. */
export const log = runsAction({
  words: '[RUN] NODE',
  minWords: 1,
  maxWords: 2,
  options: ['raw'],
  run: async ({ words, options }, context, site) => {
    const node = oneNode(words.at(-1) ?? '', site);
    const run = findRun(site.dir, words.length === 2 ? (words[0] ?? '') : 'last');
    const path = join(run.path, `${node}.log`);
    if (!existsSync(path)) {
      const said = readdirSync(run.path).filter((name) => name.endsWith('.log') && run.plan.targets.includes(name.slice(0, -4)));
      const hint =
        said.length > 0
          ? `there are logs of ${foldNames(said.map((name) => name.slice(0, -4)).sort())}`
          : 'no node came as far as telnet in it';
      throw new UserError(
        'usage',
        `run ${run.run} has no log of ${node}${run.plan.targets.includes(node) ? '' : ', which was not part of it'}`,
        hint,
      );
    }
    if (options.raw) await copyRaw(path, context);
    else await copyText(path, context);
    return exitCodes.ok;
  },
});

/** A transcript is no longer than 16 MiB and a note; what else stands there may have no end. */
const MAX_BYTES = 17 << 20;

function open(path: string): number {
  try {
    return openRegular(path);
  } catch (cause) {
    throw new UserError('environment', `${path} cannot be read: ${messageOf(cause)}`, 'whose run is it? imaging-runs list', { cause });
  }
}

async function copyRaw(path: string, { stdout }: CommandContext): Promise<void> {
  for await (const piece of createReadStream('', { fd: open(path), start: 0, end: MAX_BYTES }))
    if (!stdout.write(piece)) await once(stdout, 'drain');
}

async function copyText(path: string, { stdout }: CommandContext): Promise<void> {
  const stripper = new EscapeStripper();
  let lines: string[] = [];
  const splitter = new LineSplitter((line) => void lines.push(`${printable(line)}\n`));
  for await (const piece of createReadStream('', { fd: open(path), start: 0, end: MAX_BYTES, encoding: 'utf8' })) {
    splitter.push(stripper.strip(String(piece)));
    if (!stdout.write(lines.join(''))) await once(stdout, 'drain');
    lines = [];
  }
  splitter.flush();
  stdout.write(lines.join(''));
}
