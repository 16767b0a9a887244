import { loadConfig, type Setting } from '../../config/load.js';
import { UserError } from '../../util/errors.js';
import type { Arguments, CommandContext } from '../command.js';
import { exitCodes } from '../exit.js';
import { flag } from '../options.js';

/** Shows every setting with the file its value comes from. */
export async function run(args: Arguments, context: CommandContext): Promise<number> {
  const { describe, warnings } = await loadConfig(context.host);
  const all = describe();
  const unknown = args.words.find((word) => !all.some((setting) => setting.section === word));
  if (unknown !== undefined) {
    const sections = [...new Set(all.map((setting) => setting.section))];
    throw new UserError('usage', `there is no section ${JSON.stringify(unknown)}`, `sections are ${sections.join(', ')}`);
  }
  for (const text of warnings) context.stderr.write(`imaging: warning: ${text}\n`);
  const shown = all.filter((setting) => args.words.length === 0 || args.words.includes(setting.section));
  context.stdout.write(flag(args.options, 'json') ? `${JSON.stringify(shown, null, 2)}\n` : configText(shown));
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
  return `${lines.join('\n')}\n`;
}
