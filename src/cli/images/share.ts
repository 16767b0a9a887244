import { loadConfig } from '../../config/read-config.js';
import { planShare, type ShareStep, performShare } from '../../images/share.js';
import { UserError } from '../../util/errors.js';
import { say, warn } from '../../util/say.js';
import type { CommandContext } from '../kit/command.js';
import type { ArgumentsOf } from '../kit/option-spec.js';
import { exitCodes } from '../kit/exit.js';
import { ProgressBar } from '../kit/progress-bar.js';
import type { shareSpec } from './share.spec.js';

/** Gives an image its own name in the images folder, and an alias; says each thing that it does, or would do. */
export async function run({ words, options }: ArgumentsOf<typeof shareSpec>, context: CommandContext): Promise<number> {
  const [name, ...more] = words;
  if (name === undefined || more.length > 0)
    throw new UserError(
      'usage',
      name === undefined ? 'no image given' : `one image at a time, not ${words.length}`,
      'usage: imaging-share [options] IMAGE',
    );
  const { config, warnings } = await loadConfig(context.host);
  const beware = (line: string): void => warn(context.stderr, line);
  warnings.forEach(beware);
  const { force, dryRun } = options;
  const { path, steps, older, passedOver } = await planShare(name, {
    imagesDir: config.frisbee.imagesDir,
    cwd: context.host.cwd(),
    alias: options.alias ?? null,
    force,
    clean: options.clean,
  });
  const tell = (line: string): void => say(context.stdout, line);
  if (steps.length === 0) tell(`${path} is shared already${older.length === 0 ? '' : `, and newer than ${older.join(', ')}`}`);
  if (dryRun) for (const step of steps) tell(describe(step, 'would do'));
  else await perform(steps, force, context, tell, beware);
  for (const other of passedOver) tell(`passed over ${other}, which has that name, too`);
  return exitCodes.ok;
}

async function perform(
  steps: readonly ShareStep[],
  force: boolean,
  context: CommandContext,
  tell: (line: string) => void,
  beware: (line: string) => void,
): Promise<void> {
  const progress = new ProgressBar(context, 'share', !context.stderr.isTTY);
  try {
    for (const step of steps) {
      context.signal.throwIfAborted();
      await performShare(step, {
        uid: context.host.uid(),
        force,
        signal: context.signal,
        onBytes: (done, total) => progress.update(done, total),
        warn: beware,
      });
      progress.end();
      tell(describe(step, 'done'));
    }
  } finally {
    progress.end();
  }
}

type Tense = 'would do' | 'done';

function describe(step: ShareStep, tense: Tense): string {
  const verb = (bare: string, past: string): string => (tense === 'done' ? past : `would ${bare}`);
  switch (step.type) {
    case 'move':
      return `${verb('move', 'moved')} ${step.from} to ${step.to}${step.replaces ? ', in the place of the image there' : ''}`;
    case 'link':
      return `${verb('link', 'linked')} ${step.path} to ${step.target}`;
    case 'remove':
      return `${verb('remove', 'removed')} ${step.path}`;
  }
}
