import { enoughOf } from '../../engine/quorum.js';
import { UserError } from '../../util/errors.js';

/** How many of `total` nodes `--min-success` asks for; null without it. */
export function minSuccess(value: string | undefined, total: number): number | null {
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
