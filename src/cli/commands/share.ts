import { stat } from 'node:fs/promises';
import { loadConfig } from '../../config/load.js';
import { hashFile, readChecksum } from '../../images/checksum-file.js';
import { formatOfFile } from '../../images/formats.js';
import { planShare, type ShareStep } from '../../images/share.js';
import { judgeImage, vouchHint } from '../../images/whole.js';
import { performShare } from '../../images/share-steps.js';
import { inspectImage } from '../../ndz/reader.js';
import { Failure, UserError } from '../../util/errors.js';
import { printable } from '../../util/text.js';
import type { Arguments, CommandContext } from '../command.js';
import { exitCodes } from '../exit.js';
import { flag, text } from '../options.js';
import { ProgressBar } from '../progress-bar.js';

/** Gives an image its own name in the images folder, and an alias; says each thing that it does, or would do. */
export async function run(args: Arguments, context: CommandContext): Promise<number> {
  const [name, ...more] = args.words;
  if (name === undefined || more.length > 0) throw new UserError('usage', name === undefined ? 'no image given' : `one image at a time, not ${args.words.length}`, 'usage: imaging-share [options] IMAGE');
  const { config, warnings } = await loadConfig(context.host);
  const warn = (line: string): void => void context.stderr.write(`imaging: warning: ${printable(line)}\n`);
  warnings.forEach(warn);
  const { path, steps, older } = await planShare(name, {
    imagesDir: config.frisbee.imagesDir,
    cwd: context.host.cwd(),
    alias: text(args.options, 'alias') ?? null,
    force: flag(args.options, 'force'),
    clean: flag(args.options, 'clean'),
  });
  const dryRun = flag(args.options, 'dry-run');
  const say = (line: string): void => void context.stdout.write(`${printable(line)}\n`);
  if (steps.length === 0) say(`${path} is shared already${older.length === 0 ? '' : `, and newer than ${older.join(', ')}`}`);
  if (dryRun) for (const step of steps) say(`would ${describe(step)}`);
  else await perform(steps, context, say, warn);
  return exitCodes.ok;
}

async function perform(steps: readonly ShareStep[], context: CommandContext, say: (line: string) => void, warn: (line: string) => void): Promise<void> {
  const progress = new ProgressBar(context, 'share', !context.stderr.isTTY);
  try {
    for (const step of steps) {
      context.signal.throwIfAborted();
      if (step.type === 'move') await checkWhole(step.from, context, progress, warn);
      await performShare(step, { host: context.host, signal: context.signal, onBytes: (done, total) => progress.update(done, total), warn });
      progress.end();
      say(describe(step));
    }
  } finally {
    progress.end();
  }
}

/** Everybody will load it: a cut or damaged image is found out now. */
async function checkWhole(path: string, { signal }: CommandContext, progress: ProgressBar, warn: (line: string) => void): Promise<void> {
  if ((await formatOfFile(path)) === 'ndz') {
    const info = await inspectImage(path, { signal });
    const { cut, note } = await judgeImage(info, signal);
    if (cut !== null) throw new Failure('ndz-cut', `${path}: ${cut}`, `save it again, or ${vouchHint(path, info)}`);
    if (note !== null) warn(`${path}: ${note}`);
  }
  const expected = await readChecksum(path);
  if (expected === null) return;
  const { size } = await stat(path);
  const seen = await hashFile(path, { signal, onBytes: (bytes) => progress.update(bytes, size) });
  if (seen !== expected) throw new Failure('ndz-checksum', `${path}: its SHA-256 is ${seen}, its side file says ${expected}`, 'save or copy the image again, its side file as well');
}

function describe(step: ShareStep): string {
  switch (step.type) {
    case 'move':
      return `move ${step.from} to ${step.to}${step.replaces ? ', in the place of the image there' : ''}`;
    case 'link':
      return `link ${step.path} to ${step.target}`;
    case 'remove':
      return `remove ${step.path}`;
  }
}
