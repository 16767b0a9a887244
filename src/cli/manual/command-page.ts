import type { Command } from '../kit/command.js';
import type { OptionSpec } from '../kit/option-spec.js';
import { exitCodeMeanings } from '../kit/exit.js';
import { exitTableOf } from '../kit/exit-texts.js';
import { bold, italic, literal, page, roff, tagged, type Section } from './roff.js';

/** The manual page of one command, all of it from the table. */
export function commandPage(command: Command, version: string): string {
  const name = `imaging-${command.name}`;
  return page(name, 1, version, [
    { title: 'NAME', body: [`${roff(name)} \\- ${roff(command.summary)}`] },
    { title: 'SYNOPSIS', body: synopsis(name, command) },
    { title: 'DESCRIPTION', body: description(command) },
    ...optionsSection(command),
    ...examplesSection(command),
    ...(command.kind === 'program' ? [] : [exitStatus(exitTableOf(command))]),
    ...(command.kind === 'program' ? [] : [environment, files]),
    seeAlso(['imaging.conf(5)', 'imaging(1)', ...related(command.name)]),
  ]);
}

/** The page `imaging(1)`: what there is. */
export function overviewPage(commands: readonly Command[], version: string): string {
  return page('imaging', 1, version, [
    { title: 'NAME', body: ['imaging \\- operating\\-system images onto machines and back'] },
    { title: 'SYNOPSIS', body: [`${bold('imaging')} ${italic('command')} [${italic('option')} ...] [${italic('word')} ...]`] },
    {
      title: 'DESCRIPTION',
      body: [
        roff(
          "Gets operating-system images onto a testbed's machines by multicast, reboots them into it, and says of every single machine how it went.",
        ),
        '.PP',
        roff("Each command is also a program of its own: 'imaging load' is 'imaging-load'."),
      ],
    },
    { title: 'COMMANDS', body: commands.flatMap((command) => tagged(`${bold(`imaging-${command.name}`)}(1)`, `${command.summary}.`)) },
    exitStatus(exitCodeMeanings),
    environment,
    files,
    seeAlso(['imaging.conf(5)']),
  ]);
}

function synopsis(name: string, { words, kind }: Command): string[] {
  const options = kind === 'program' ? '' : ` [${italic('option')} ...]`;
  return [`${bold(name)}${options}${words === '' ? '' : ` ${roff(words)}`}`];
}

function description(command: Command): string[] {
  const first = roff(`${command.summary[0]?.toUpperCase() ?? ''}${command.summary.slice(1)}.`);
  const aliases = (command.aliases ?? []).filter((alias) => alias !== command.name);
  const also = [`imaging ${command.name}`, ...aliases].map((each) => `'${each}'`).join(' and ');
  if (command.kind === 'program')
    return [
      first,
      roff(`It takes the options of ${command.name}, prints what it prints, and exits with its codes, so that it can be put in its place.`),
    ];
  const nodes = command.words.includes('node ...')
    ? [
        '.PP',
        roff(
          "Nodes are given by number or name, as ranges and sets: '1-12 fit15 ~4' is nodes 1 to 12 and 15 without 4; '@usrp' is a group of the configuration, '@failed:last' what failed in the last run. Without any, those of the variable NODES are taken.",
        ),
      ]
    : [];
  return [first, ...nodes, '.PP', roff(`It can be called as ${also} as well.`)];
}

function optionsSection({ options, kind }: Command): Section[] {
  if (kind === 'program') return [];
  const entries = Object.entries(options).flatMap(([name, spec]) =>
    tagged(optionTag(name, spec), `${spec.describe}.${spec.type === 'string' && spec.multiple ? ' May be given several times.' : ''}`),
  );
  return [{ title: 'OPTIONS', body: [...entries, ...tagged(`${bold('-h')}, ${bold('--help')}`, 'show a short help.')] }];
}

function optionTag(name: string, spec: OptionSpec): string {
  const letters = [spec.alias ?? []].flat();
  const names = [...letters.map((letter) => bold(letter.length === 1 ? `-${letter}` : `--${letter}`)), bold(`--${name}`)].join(', ');
  if (spec.type === 'boolean') return names;
  const choices = spec.type === 'string' ? spec.choices : undefined;
  return `${names} ${choices ? choices.map(bold).join('|') : italic(spec.value ?? name.toUpperCase())}`;
}

function examplesSection({ examples }: Command): Section[] {
  if (examples.length === 0) return [];
  return [
    {
      title: 'EXAMPLES',
      body: examples.flatMap(([line, meaning], index) => [
        ...(index > 0 ? ['.PP'] : []),
        roff(`${meaning}:`),
        '.RS 4',
        ...literal([line]),
        '.RE',
      ]),
    },
  ];
}

function exitStatus(codes: readonly (readonly [code: number, meaning: string])[]): Section {
  return { title: 'EXIT STATUS', body: codes.flatMap(([code, meaning]) => tagged(bold(String(code)), `${meaning}.`)) };
}

const environment: Section = {
  title: 'ENVIRONMENT',
  body: [
    ...tagged(bold('NODES'), 'the nodes to work on when none is given, separated by blanks.'),
    ...tagged(bold('ALL_NODES'), 'what -a means, instead of testbed.all_scope of the configuration.'),
    ...tagged(bold('IMAGING_CONFIG'), 'the configuration to read instead of the usual ones; several are joined by colons.'),
  ],
};

const files: Section = {
  title: 'FILES',
  body: [
    ...tagged(italic('/etc/imaging.conf'), "the site's configuration; ~/.imaging.conf and ./imaging.conf come on top of it."),
    ...tagged(italic('/etc/imaging-inventory.json'), 'the nodes and their addresses (testbed.inventory_path).'),
    ...tagged(italic('/var/lib/imaging'), 'images (frisbee.images_dir), and what is kept of runs (runs.dir).'),
  ],
};

const neighbours: Readonly<Record<string, readonly string[]>> = {
  load: ['imaging-wait(1)', 'imaging-save(1)', 'imaging-runs(1)', 'imaging-doctor(1)'],
  save: ['imaging-load(1)', 'imaging-image(1)', 'imaging-runs(1)'],
  wait: ['imaging-load(1)', 'imaging-status(1)'],
  doctor: ['imaging-sweep(1)', 'imaging-config(1)', 'imaging-inventory(1)'],
  sweep: ['imaging-doctor(1)', 'imaging-runs(1)'],
  config: ['imaging-doctor(1)'],
  inventory: ['imaging-nodes(1)', 'imaging-doctor(1)'],
};

function related(name: string): readonly string[] {
  return neighbours[name] ?? [];
}

function seeAlso(pages: readonly string[]): Section {
  const references = pages.map((each) => each.replace(/^(.*)(\(\d\))$/, (_, name: string, volume: string) => `${bold(name)}${volume}`));
  return { title: 'SEE ALSO', body: [references.join(', ')] };
}
