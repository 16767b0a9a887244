import yargs from 'yargs';
import { UserError } from '../../util/errors.js';
import type { Arguments, Command, OptionSpec, OptionValues } from './command.js';
import { exitTableOf } from './exit-texts.js';

export type Parsed = { help: string } | { args: Arguments };

/** Parses a command's arguments by its table entry; throws a usage `UserError` naming what was wrong. */
export async function parseArguments(command: Command, argv: string[]): Promise<Parsed> {
  const dashes = argv.indexOf('--');
  const [own, rest] = dashes < 0 ? [argv, []] : [argv.slice(0, dashes), argv.slice(dashes + 1)];
  const parser = buildParser(command);
  if (own.includes('--help') || own.includes('-h')) return { help: await parser.getHelp() };
  const parsed = await parser.parseAsync(own);
  const options: Record<string, OptionValues[string]> = {};
  for (const [name, spec] of Object.entries(command.options)) options[name] = optionValue(name, spec, parsed[name]);
  // operands after -- are words like all others, unless the command runs a command
  const words = parsed._.map(String);
  return { args: command.takesCommand ? { words, options, rest } : { words: [...words, ...rest], options, rest: [] } };
}

function optionValue(name: string, spec: OptionSpec, value: unknown): OptionValues[string] {
  if (value === undefined) return undefined;
  if (Array.isArray(value)) {
    if (spec.multiple) return value.map(String);
    throw new UserError('usage', `--${name} is given ${value.length} times`, 'give it once');
  }
  if (typeof value === 'string' && value === '' && spec.type !== 'boolean') throw new UserError('usage', `--${name} needs a value`);
  if (typeof value === 'number' && Number.isNaN(value)) throw new UserError('usage', `--${name} needs a number`);
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? value : String(value);
}

function buildParser(command: Command) {
  const epilogue = `Exit codes:\n${exitTableOf(command)
    .map(([code, meaning]) => `  ${String(code).padStart(3)}  ${meaning}`)
    .join('\n')}`;
  let parser = yargs([])
    .scriptName(`imaging-${command.name}`)
    .usage(`imaging-${command.name} [options] ${command.words}\n\n${command.summary[0]?.toUpperCase()}${command.summary.slice(1)}.`)
    .string('_')
    .parserConfiguration({
      'parse-positional-numbers': false,
      'boolean-negation': false,
      'camel-case-expansion': false,
      'dot-notation': false,
    })
    .version(false)
    .help(false)
    .exitProcess(false)
    .strictOptions()
    .wrap(100)
    .fail((message: string | null, error: Error | undefined) => {
      throw error instanceof UserError
        ? error
        : new UserError('usage', message ?? error?.message ?? 'the command line makes no sense', `see imaging-${command.name} --help`);
    })
    .epilogue(epilogue);
  for (const [name, spec] of Object.entries(command.options)) {
    parser = parser.option(name, {
      type: spec.type,
      describe: spec.value === undefined || spec.choices ? spec.describe : `${spec.describe} (${spec.value})`,
      requiresArg: spec.type !== 'boolean',
      ...(spec.alias === undefined ? {} : { alias: spec.alias }),
      ...(spec.choices === undefined ? {} : { choices: spec.choices }),
      ...(spec.multiple ? { array: false } : {}),
    });
  }
  parser = parser.option('help', { type: 'boolean', alias: 'h', describe: 'show this help' });
  for (const [line, meaning] of command.examples) parser = parser.example(line, meaning);
  return parser;
}
