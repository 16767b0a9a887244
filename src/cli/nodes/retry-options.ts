import { windowSize as windowKind } from '../../config/kinds.js';
import { UserError } from '../../util/errors.js';
import { enoughOf } from '../../engine/quorum.js';
import type { Arguments } from '../kit/command.js';
import { positive, text } from '../kit/options.js';

export function passes({ options }: Arguments): number | undefined {
  const value = positive(options, 'passes', 100);
  if (value !== undefined && !Number.isInteger(value)) throw new UserError('usage', `--passes: ${value} is not a whole number`);
  return value;
}

/** How nodes are taken and reset; read before anything is done, as it may be wrong. */
export type TakingOptions = { waitLockMs: number /** Null: as the configuration says. */; window: { nodes: number; perMs: number } | null };

export function takingOptions(args: Arguments): TakingOptions {
  return { waitLockMs: (positive(args.options, 'wait-lock') ?? 0) * 1000, window: windowSize(args) };
}

function windowSize({ options }: Arguments): TakingOptions['window'] {
  const value = text(options, 'window');
  if (value === undefined) return null;
  const size = windowKind.parse(value, { folder: '/', home: '/' });
  if (size === undefined) throw new UserError('usage', `--window: ${JSON.stringify(value)} is not ${windowKind.allowed}`);
  return size;
}

/** How many of `total` nodes `--min-success` asks for; null without it. */
export function minSuccess({ options }: Arguments, total: number): number | null {
  const value = text(options, 'min-success');
  if (value === undefined) return null;
  const [, digits, percent] = /^(\d{1,6}(?:\.\d+)?)(%?)$/.exec(value) ?? [];
  const number = Number(digits);
  const fits = percent === '%' ? number > 0 && number <= 100 : Number.isInteger(number) && number >= 1 && number <= total;
  if (digits === undefined || !fits)
    throw new UserError(
      'usage',
      `--min-success: ${JSON.stringify(value)} is neither a percentage up to 100% nor a number of nodes up to ${total}`,
    );
  return percent === '%' ? enoughOf(number / 100, total) : number;
}
