import yargs from 'yargs';
import { UserError } from '../../util/errors.js';
import type { Command } from './command.js';
import { exitTableOf } from './exit-texts.js';
import { camelCase, type Arguments, type NumberSpec, type OptionSpec } from './option-spec.js';

export type Parsed = { help: string } | { args: Arguments };

/** Parses a command's arguments by its spec; throws a usage `UserError` naming what was wrong. */
export async function parseArguments(command: Command, argv: readonly string[]): Promise<Parsed> {
  const dashes = argv.indexOf('--');
  const [own, rest] = dashes < 0 ? [[...argv], []] : [argv.slice(0, dashes), argv.slice(dashes + 1)];
  const parser = buildParser(command);
  if (own.includes('--help') || own.includes('-h')) return { help: await parser.getHelp() };
  const parsed = await parser.parseAsync(own);
  const options: Record<string, unknown> = {};
  const given: string[] = [];
  for (const [name, spec] of Object.entries(command.options)) {
    const value = parsed[name];
    options[camelCase(name)] = optionValue(name, spec, value);
    if (value !== undefined) given.push(name);
  }
  // operands after -- are words like all others, unless the command runs a command
  const words = parsed._.map(String);
  return { args: command.takesCommand ? { words, options, given, rest } : { words: [...words, ...rest], options, given, rest: [] } };
}

/** The value as the command gets it; see `OptionsOf`. */
function optionValue(name: string, spec: OptionSpec, value: unknown): unknown {
  if (spec.type === 'string' && spec.multiple) return value === undefined ? [] : [value].flat().map((each) => textValue(name, each));
  if (Array.isArray(value)) throw new UserError('usage', `--${name} is given ${value.length} times`, 'give it once');
  if (spec.type === 'boolean') return value === true;
  if (value === undefined) return undefined;
  if (spec.type === 'number') return numberValue(name, spec, value);
  const text = textValue(name, value);
  if (spec.format === undefined) return text;
  const found = spec.format.parse(text);
  if (found === undefined) throw new UserError('usage', `--${name}: ${JSON.stringify(text)} is not ${spec.format.allowed}`);
  return found;
}

function textValue(name: string, value: unknown): string {
  if (value === '') throw new UserError('usage', `--${name} needs a value`);
  return String(value);
}

function numberValue(name: string, spec: NumberSpec, value: unknown): number {
  if (value === '') throw new UserError('usage', `--${name} needs a value`);
  const number = Number(value);
  if (Number.isNaN(number)) throw new UserError('usage', `--${name} needs a number`);
  const { integer = false, min = -Infinity, above = -Infinity, max = Number.MAX_SAFE_INTEGER } = spec;
  if (!Number.isFinite(number) || number < min || number <= above || number > max || (integer && !Number.isInteger(number)))
    throw new UserError('usage', `--${name}: ${number} is not ${boundsText(spec)}`);
  return number;
}

function boundsText({ integer = false, min, above, max }: NumberSpec): string {
  const kind = integer ? 'a whole number' : 'a number';
  if (min !== undefined) return max === undefined ? `${kind} of ${min} or more` : `${kind} from ${min} to ${max}`;
  const bounds = [...(above === undefined ? [] : [`greater than ${above}`]), ...(max === undefined ? [] : [`at most ${max}`])];
  return bounds.length === 0 ? kind : `${kind} ${bounds.join(' and ')}`;
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
      describe: describeText(spec),
      requiresArg: spec.type !== 'boolean',
      ...(spec.alias === undefined ? {} : { alias: spec.alias }),
      ...(spec.type !== 'string' || spec.choices === undefined ? {} : { choices: spec.choices }),
      ...(spec.type === 'string' && spec.multiple ? { array: false } : {}),
    });
  }
  parser = parser.option('help', { type: 'boolean', alias: 'h', describe: 'show this help' });
  for (const [line, meaning] of command.examples) parser = parser.example(line, meaning);
  return parser;
}

/** What help says of an option; yargs itself adds the choices. */
function describeText(spec: OptionSpec): string {
  if (spec.type === 'boolean' || spec.value === undefined || (spec.type === 'string' && spec.choices)) return spec.describe;
  return `${spec.describe} (${spec.value})`;
}
