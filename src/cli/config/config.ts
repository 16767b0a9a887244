import { loadConfig, type Setting } from '../../config/read-config.js';
import { UserError } from '../../util/errors.js';
import { sayJson, sayText, warn } from '../../util/say.js';
import { printable } from '../../util/text.js';
import type { CommandContext } from '../kit/command.js';
import type { ArgumentsOf } from '../kit/option-spec.js';
import { exitCodes } from '../kit/exit.js';
import type { configSpec } from './config.spec.js';

/** Shows every setting with the file its value comes from. */
export async function run({ words, options }: ArgumentsOf<typeof configSpec>, context: CommandContext): Promise<number> {
  const { describe, warnings } = await loadConfig(context.host);
  const all = describe();
  const unknown = words.find((word) => !all.some((setting) => setting.section === word));
  if (unknown !== undefined) {
    const sections = [...new Set(all.map((setting) => setting.section))];
    throw new UserError('usage', `there is no section ${JSON.stringify(unknown)}`, `sections are ${sections.join(', ')}`);
  }
  for (const text of warnings) warn(context.stderr, text);
  const shown = all.filter((setting) => words.length === 0 || words.includes(setting.section));
  if (options.json) sayJson(context.stdout, shown, 2);
  else sayText(context.stdout, configText(shown));
  return exitCodes.ok;
}

/** Ini text, each value with the file it comes from. */
export function configText(settings: readonly Setting[]): string {
  let section = '';
  const lines: string[] = [];
  const width = Math.max(0, ...settings.map(({ writtenKey, value }) => writtenKey.length + value.length));
  for (const setting of settings) {
    if (setting.section !== section) lines.push(...(lines.length > 0 ? [''] : []), `[${(section = setting.section)}]`);
    const assignment = `${setting.writtenKey} = ${setting.value}`;
    lines.push(`${assignment.padEnd(width + 3)}  ; ${setting.source}`);
  }
  return `${lines.map(printable).join('\n')}\n`;
}
